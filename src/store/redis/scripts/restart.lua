-- Begins the calendar windows of a scope anew, used or not: what was spent stays with the ones that end.
--
-- ARGV 1, after the header: I7 since: windows that began then or later go on | the windows of one scope
-- Returns  K B how many were begun    S
--include common
--include windows
--include endings
local since
since, at = punpack('<I7', A, at)
parse_windows()
local key = keys[1]
local fields = {'m', 's' .. key}
--include fetch
local s = found[2] and parse_scope(found[2])
if not read_windows({s}) then return finish('S') end
if since > now then since = now end
-- Of each that begins: its code, its length, and where it ends.
local begun = {}
for n = 0, count - STRIDE, STRIDE do
  local code, ends_at = terms[n + 1], terms[n + 9]
  if code < 16 and terms[n + 14] < since then
    if now >= ends_at then ends_at = terms[n + 10] end
    if now >= ends_at then ends_at = terms[n + 11] end
    if now < terms[n + 8] or now >= ends_at then return finish('S') end
    if ends_at < MOST then begun[#begun + 1] = {code, terms[n + 2], ends_at} end
  end
end
if #begun > 0 then
  local guess = 5
  s = s or new_scope(key)
  for _, window in ipairs(begun) do
    local code, length, ends_at = unpack(window)
    local i = find(s, code, length, guess) or add_window(s, code, length)
    guess = i + 10
    if s[i + 3] > 0 then insert(effects, 'w' .. pack('<BI7I7', code, now, ends_at) .. key) end
    s[i + 2], s[i + 3], s[i + 4], s[i + 5], s[i + 6], s[i + 7], s[i + 8], s[i + 9] = now, ends_at, 0, 0, 0, 0, 0, 0
  end
  write('s' .. key, pack_scope(s))
end
return finish('K', char(#begun))
