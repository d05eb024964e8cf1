-- Counters, open holds and the outbox's position, all of one moment. Reads the whole data set: for audits, not for requests.
--
-- Store time moves on by 1 ms: whatever is written afterwards is later than this.
--
-- Returns  K B 1 where the outbox has every entry, 2 where it has with the sink, else 0 | B 1 where scopes have been forgotten | I7 how many repairs were made, and a list: the fields and values of all scopes and open holds
--include common
--include endings
local found = call('HMGET', STATE, 'm', 'R')
local stopped = begin(found[1])
if stopped then return reply(stopped) end
if next_due <= now and not end_due() then return finish('D') end
local all, result = call('HGETALL', STATE), {}
for index = 1, #all, 2 do
  local first = byte(all[index])
  -- s: a scope. h: a hold, of which the open ones count.
  if first == 115 or (first == 104 and byte(all[index + 1]) == 0) then
    result[#result + 1] = all[index]
    result[#result + 1] = all[index + 1]
  end
end
insert(effects, result)
local complete = flags % 4 == 1 and 2 or flags % 4 == 0 and appended == call('XLEN', OUTBOX) and 1 or 0
local moment = now
now = now + 1
save()
now = moment
return reply('K', pack('<BBI7', complete, flags >= 4 and 1 or 0, tonumber(found[2] or '0')))
