-- What an id was opened with, and how it stands.
--
-- ARGV 1, after the header: I2 id
-- Returns  K the hold, as in endings.lua    U unknown    E a tombstone: B state
--include common
--include endings
--include ending
if not h then return finish('U') end
if flag(h, 8) then return finish('E', pack('<B', h.state)) end
return finish('K', pack_hold(h))
