-- Appends ledger entries, all or none, that carry no money or move none from one window to another, to a stream of their own: a flood of
-- them does not push out what was spent.
--
-- ARGV 1, after the header: I4 entries, for each I4 its text. Each is kept with the id of the outbox's last item then (field a): after
-- which it comes.
-- Returns  K
--include common
local stopped = begin(call('HGET', STATE, 'm'))
if stopped then return reply(stopped) end
local last = call('XREVRANGE', OUTBOX, '+', '-', 'COUNT', 1)[1]
local after = last and last[1] or '0-0'
local entries, text
entries, at = punpack('<I4', A, at)
for _ = 1, entries do
  text, at = punpack('<I4c0', A, at)
  -- The first one fails where the key is of another type, before anything has changed.
  if capacity > 0 and flags % 2 == 0 then
    call('XADD', KEYS[7], 'MAXLEN', '~', capacity, '*', 'e', text, 'a', after)
  else
    call('XADD', KEYS[7], '*', 'e', text, 'a', after)
  end
end
return reply('K')
