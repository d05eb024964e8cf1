-- Writes a directory entry, unless it has changed since it was read.
--
-- ARGV 1, after the header: s user key | I7 the version that was read, 0 for none | I7 the new version, 0 to delete | the entry
-- Returns  K written    O it has changed: the entry as it is
--include common
local user, before, version
user, before, version, at = punpack('<sI7I7', A, at)
local found = call('HMGET', STATE, 'm', 'd' .. user, 's' .. user)
local stopped = begin(found[1])
if stopped then return reply(stopped) end
if (found[2] and punpack('<I7', found[2]) or 0) ~= before then return reply('O', found[2] or '') end
if version == 0 then call('HDEL', STATE, 'd' .. user) else call('HSET', STATE, 'd' .. user, pack('<I7', version) .. sub(A, at)) end
-- The user's counters know the version, so that a request need not look for it elsewhere.
if found[3] then
  local s = parse_scope(found[3])
  s.version = version
  call('HSET', STATE, 's' .. user, pack_scope(s))
end
return reply('K')
