-- Reads the fields that a script has named, the meta field first, as they are once everything that is due by now has ended. Included
-- behind endings.lua.
local found = call('HMGET', STATE, unpack(fields))
local stopped = begin(found[1])
if stopped then return reply(stopped) end
if next_due <= now then
  if not end_due() then return finish('D') end
  found = call('HMGET', STATE, unpack(fields))
end
