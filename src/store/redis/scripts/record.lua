-- Counts a cost that no hold stood for, whatever the limits say.
--
-- ARGV 1, after the header: I2 id | c16 fingerprint | B flags (1 given) | I7 version of the directory entry | I4 facts | s model
--   | I7 microcents | I7 tokens | the windows
-- Returns  K recorded: B replayed    O the directory says otherwise: its entry    I id reused    S
--include endings
local length, id, fingerprint, bits, version, facts, model, microcents, tokens
length, at = punpack('<I2', A, at)
id = sub(A, at, at + length - 1)
fingerprint, bits, version, length, at = punpack('<c16BI7I4', A, at + length)
facts = sub(A, at, at + length - 1)
local tier, provider, user = punpack('<sss', facts)
model, microcents, tokens, at = punpack('<sI7I7', A, at + length)
parse_windows()
local fields = {'m', 'h' .. id, 'r' .. id, 'd' .. user}
for index = 1, #keys do fields[4 + index] = 's' .. keys[index] end
local found = call('HMGET', STATE, unpack(fields))
local stopped = begin(found[1])
if stopped then return reply(stopped) end
if next_due <= now then
  if not end_due() then return finish('D') end
  found = call('HMGET', STATE, unpack(fields))
end
if next_forget + 250 <= now then forget_some() end
local known = found[2] and parse_hold(id, found[2])
if known and is_remembered(known) then
  if known.fingerprint ~= fingerprint or flag(known, 8) then return finish('I') end
  return finish('K', pack('<B', 1))
end
if found[3] and now < punpack('<I7', found[3]) + LONG_KEPT_MS then return finish('I') end
if (found[4] and punpack('<I7', found[4]) or 0) ~= version then return finish('O', found[4] or '') end
local scopes = {}
for index = 1, #keys do
  local value = found[4 + index]
  if value then scopes[index] = parse_scope(value) end
end
if not read_windows(scopes) then return finish('S') end
local is_new = false
for index = 1, #keys do
  if not scopes[index] then
    scopes[index] = {0, 0, 0, ''}
    is_new = true
  end
  loaded[keys[index]] = scopes[index]
end
place(scopes, tier, 0, 0)
local h = parse_hold(id, pack('<BBI7sI7BBI7I7c16I4', 0, bits, now, model, now, 0, 0, 0, 0, fingerprint, #facts) .. facts .. pack('<B', 0) .. pack_placements())
end_hold(h, 1, 4, microcents, tokens, now)
save_scopes()
if is_new then
  --include lapsed
end
return finish('K', pack('<B', 0))
