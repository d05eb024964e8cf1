-- Begins or joins a data set: the one script that works without knowing which it is.
--
-- ARGV 1, after the header (whose epoch is the one for a new data set): c8 the epoch that the client knows, zeros for none
--   | B 1 where ledger entries are drained to a sink, so that nobody may cap the outbox | B 1 accept that the known one is lost
-- Returns  K joined: c8 epoch | B 1 where it was begun now    X the data set is not the known one
local known, sink, accept = punpack('<c8BB', A, at)
local zeros = ('\0'):rep(8)
local meta = call('HGET', STATE, 'm')
local stored = meta and punpack('<c8', meta)
if known ~= zeros and known ~= stored and accept == 0 then return reply('X') end
local begun = 0
if not meta then
  begun, stored = 1, epoch
  meta = pack(META, epoch, 0, 0, MOST, MOST, 0, 0, 0, '')
end
local moment
epoch, moment, seq, next_due, next_forget, appended, flags, last_due, last_id = punpack(META, meta)
-- 1: drained to a sink; 3: the same, but the outbox had been cut before.
if sink == 1 and flags == 0 then flags = appended == call('XLEN', OUTBOX) and 1 or 3 end
call('HSET', STATE, 'm', pack(META, epoch, moment, seq, next_due, next_forget, appended, flags, last_due, last_id))
return reply('K', pack('<c8B', stored, begun))
