-- Windows as they stand.
--
-- ARGV 1, after the header: the windows      Returns  K readings | freeing    S
--include common
--include windows
--include endings
parse_windows()
local fields = {'m'}
for index = 1, #keys do fields[1 + index] = 's' .. keys[index] end
--include fetch
local scopes = {}
for index = 1, #keys do
  local value = found[1 + index]
  if value then scopes[index] = parse_scope(value) end
end
if not read_windows(scopes) then return finish('S') end
return finish('K', pack_readings() .. pack_freeing(scopes))
