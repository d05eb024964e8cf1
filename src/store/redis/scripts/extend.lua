-- Moves the due time of an open hold, never to an earlier instant.
--
-- ARGV 1, after the header: I2 id | I7 ttl
-- Returns  K extended: I7 due    U unknown    E ended: B state
--include common
--include endings
--include ending
if not h then return finish('U') end
if h.state ~= 0 then return finish('E', pack('<B', h.state)) end
local due = now + punpack('<I7', A, at)
if due > h.due then
  -- Its place in the list of what is due is skipped when its time comes.
  call('ZADD', MOVED, due, id)
  if due < next_due then next_due = due end
  h.due = due
  write('h' .. id, pack_hold(h))
end
return finish('K', pack('<I7', h.due))
