-- Windows as they stand.
--
-- ARGV 1, after the header: the windows      Returns  K readings | freeing    S
--include common
--include windows
--include endings
parse_windows()
local fields = {'m'}
for index = 1, #keys do fields[1 + index] = 's' .. keys[index] end
local found = call('HMGET', STATE, unpack(fields))
local stopped = begin(found[1])
if stopped then return reply(stopped) end
if next_due <= now then
  if not end_due() then return finish('D') end
  found = call('HMGET', STATE, unpack(fields))
end
local scopes = {}
for index = 1, #keys do
  local value = found[1 + index]
  if value then scopes[index] = parse_scope(value) end
end
if not read_windows(scopes) then return finish('S') end
return finish('K', pack_readings() .. pack_freeing(scopes))
