-- Some of the shared facts of one kind. One may be told twice where others come or go meanwhile.
--
-- KEYS  8 records, as in write-record.lua
-- ARGV  1, after the header: s where to go on, 0 at first | I4 how many to look at, about
-- Returns  K s where to go on, 0 where that was all, and a list: for each its key, and I7 version | the value
--include common
local meta = call('HGET', STATE, 'm')
local stopped = begin(meta)
if stopped then return reply(stopped) end
--include lapsing
local cursor, count = punpack('<sI4', A, at)
local scanned, records = call('HSCAN', KEYS[8], cursor, 'COUNT', count), {}
for index = 1, #scanned[2], 2 do
  local record = scanned[2][index + 1]
  local version, over_at, _, p = punpack('<I7I7c8', record)
  if not is_over(over_at) then
    records[#records + 1] = scanned[2][index]
    records[#records + 1] = pack('<I7', version) .. sub(record, p)
  end
end
insert(effects, records)
return answer('K', scanned[1] .. '\0')
