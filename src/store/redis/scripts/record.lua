-- Counts a cost that no hold stood for, whatever the limits say.
--
-- ARGV 1, after the header: I2 id | c8 fingerprint | B flags (1 given) | I7 version of the directory entry | I7 microcents | I7 tokens
--   | I4 and so much of what a hold keeps from its facts to its placements | I4 details of the cost for the outbox, empty for none
--   | the windows
-- Returns  K recorded: B replayed    O the directory says otherwise: its entry    I id reused    S
--include common
--include windows
--include endings
local id, fingerprint, bits, version, microcents, tokens, kept, details
id, fingerprint, bits, version, microcents, tokens, kept, details, at = punpack('<I2c0c8BI7I7I7I4c0I4c0', A, at)
local _, tier, provider, user = punpack('<I4sss', kept)
parse_windows()
local fields = {'m', 'h' .. id, 'r' .. id, 'd' .. user}
for index = 1, #keys do fields[4 + index] = 's' .. keys[index] end
--include fetch
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
    scopes[index] = new_scope(keys[index])
    is_new = true
  end
  loaded[keys[index]] = scopes[index]
end
place(scopes, tier, 0, 0)
local h = parse_hold(id, pack('<BBI7I7BBI7I7c8', 0, bits, now, now, 0, 0, 0, 0, fingerprint) .. kept .. pack_readings())
end_hold(h, 1, 4, microcents, tokens, now, details)
save_scopes()
if is_new then
  --include lapsed
end
return finish('K', pack('<B', 0))
