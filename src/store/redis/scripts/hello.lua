-- Begins or joins a data set: the one script that works without knowing which it is.
--
-- ARGV 1, after the header (whose epoch is the one for a new data set): c8 the epoch that the client knows, zeros for none
--   | B 1 where ledger entries are drained to a sink, so that nobody may cap the outbox
--   | B 0 join what is known, 1 accept that the known one is lost, for everybody who knows it, 2 join what is there, to mend it
-- Returns  K joined: c8 epoch    X the data set is not the known one
-- Field p<epoch>: that data set was lost, and this one stands in its place.
--include common
local known, sink, mode = punpack('<c8BB', A, at)
local zeros = ('\0'):rep(8)
local meta = call('HGET', STATE, 'm')
local stored = meta and punpack('<c8', meta)
local is_other = known ~= zeros and known ~= stored
if is_other and mode == 0 and call('HEXISTS', STATE, 'p' .. known) == 0 then return reply('X') end
if is_other and mode == 1 then call('HSET', STATE, 'p' .. known, '1') end
if not meta then
  stored = epoch
  meta = pack(META, epoch, 0, 0, MOST, MOST, 0, 0, 0, '')
end
local moment
epoch, moment, seq, next_due, next_forget, appended, flags, last_due, last_id = punpack(META, meta)
if sink == 1 and flags % 2 == 0 then flags = flags + (appended == call('XLEN', OUTBOX) and 1 or 3) end
call('HSET', STATE, 'm', pack(META, epoch, moment, seq, next_due, next_forget, appended, flags, last_due, last_id))
return reply('K', stored)
