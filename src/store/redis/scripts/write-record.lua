-- Writes or deletes a shared fact, where it has the version that was read.
--
-- KEYS  8 records    hash of all of one kind: key -> I7 version | I7 when its time is over, 2^53 - 1 for never | c8 its write | the value
--       9 expiring   sorted set of their keys by when they may be forgotten
-- ARGV  1, after the header: I4 key | I7 expected version, 0 for none | c8 this write, the same where it is sent again
--   | B 1 to delete | I7 time to live + 1, or 0 to keep it | the value
-- Returns  K written: I7 version    O it has another version
-- Field V: the highest version that was given to any record.
-- One that was deleted stays for a minute as one whose time is over: a client that lost the reply and repeats is told that it was done.
--include common
local RECORDS, EXPIRING, FORGOTTEN_AT_ONCE = KEYS[8], KEYS[9], 4
local key, expected, id, deletes, ttl
key, expected, id, deletes, ttl, at = punpack('<I4c0I7c8BI7', A, at)
local found = call('HMGET', STATE, 'm', 'V')
local meta = found[1]
local stopped = begin(meta)
if stopped then return reply(stopped) end
--include lapsing
local record = call('HGET', RECORDS, key)
local over = call('ZRANGEBYSCORE', EXPIRING, '-inf', now, 'LIMIT', 0, FORGOTTEN_AT_ONCE)

local current = 0
if record then
  local version, over_at, written_by = punpack('<I7I7c8', record)
  if not is_over(over_at) then current = version end
  if current ~= expected and written_by == id then return finish('K', pack('<I7', version)) end
end
if current ~= expected then return answer('O') end

-- Higher than what a copy that lost its latest writes can have given before: that was given at an earlier store time.
local version = found[2] and punpack('<I7', found[2]) + 1 or 1
if now > version then version = now end
for _, each in ipairs(over) do
  call('HDEL', RECORDS, each)
  call('ZREM', EXPIRING, each)
end
local over_at, forgotten_at = MOST, MOST
if deletes == 1 then
  over_at, forgotten_at = now, now + SHORT_KEPT_MS
elseif ttl > 0 then
  over_at = within(now + ttl - 1)
  forgotten_at = over_at
end
if deletes == 0 or current > 0 then
  call('HSET', RECORDS, key, pack('<I7I7c8', version, over_at, id) .. sub(A, at))
  if forgotten_at < MOST then call('ZADD', EXPIRING, forgotten_at, key) else call('ZREM', EXPIRING, key) end
end
write('V', pack('<I7', version))
return finish('K', pack('<I7', version))
