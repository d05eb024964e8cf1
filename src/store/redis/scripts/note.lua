-- Appends a ledger entry that carries no money to a stream of its own, so that a flood of them does not push out what was spent.
--
-- ARGV 1, after the header: the entry. It is kept with the id of the outbox's last item then (field a): after which it comes.
-- Returns  K
--include common
local stopped = begin(call('HGET', STATE, 'm'))
if stopped then return reply(stopped) end
local last = call('XREVRANGE', OUTBOX, '+', '-', 'COUNT', 1)[1]
if capacity > 0 and flags % 2 == 0 then
  call('XADD', KEYS[7], 'MAXLEN', '~', capacity, '*', 'e', sub(A, at), 'a', last and last[1] or '0-0')
else
  call('XADD', KEYS[7], '*', 'e', sub(A, at), 'a', last and last[1] or '0-0')
end
return reply('K')
