-- A shared fact as it stands.
--
-- KEYS  8 records, as in write-record.lua
-- ARGV  1, after the header: the key
-- Returns  K I7 version | the value    U there is none
--include common
local meta = call('HGET', STATE, 'm')
local stopped = begin(meta)
if stopped then return reply(stopped) end
--include lapsing
local record = call('HGET', KEYS[8], sub(A, at))
if not record then return reply('U') end
local version, over_at, _, p = punpack('<I7I7c8', record)
if is_over(over_at) then return answer('U') end
return reply('K', pack('<I7', version) .. sub(record, p))
