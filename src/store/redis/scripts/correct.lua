-- Mends counters or the outbox after an audit.
--
-- ARGV 1, after the header: B 1 for a counter: s scope key | B 1 where a window is meant, 0 for the sums of the scope | B code | I7 length
--   | I7 startsAt | I7 endsAt + 1 where a window that is not there is begun, or 0 | i8 to add to spent | i8 to add to held | i8 to add to the number of entries
--   | B 2 for an entry: s model | s provider | s tier | i8 microcents | i8 tokens | the text for the outbox      Returns  K
--include common
--include endings
local what
what, at = punpack('<B', A, at)
local meta = call('HGET', STATE, 'm')
local stopped = begin(meta)
if stopped then return reply(stopped) end
if what == 2 then
  local model, provider, tier, microcents, tokens, p = punpack('<sssi8i8', A, at)
  add_to_outbox(sub(A, p))
  count_total({model = model, provider = provider, tier = tier}, microcents, tokens)
  return finish('K')
end
local key, is_window, code, length, starts_at, ends_at, spent, held, entries = punpack('<sBBI7I7I7i8i8i8', A, at)
local value = call('HGET', STATE, 's' .. key)
if not value and ends_at == 0 then return finish('K') end
local s = value and parse_scope(value) or new_scope(key)
if is_window == 0 then
  s[1], s[2] = within(s[1] + spent), within(s[2] + entries)
else
  local i = find(s, code, length, 5)
  if ends_at > 0 and (not i or (code < 16 and s[i + 3] <= starts_at)) then
    i = i or add_window(s, code, length)
    if code < 16 then s[i + 2], s[i + 3], s[i + 4], s[i + 5], s[i + 6], s[i + 7], s[i + 8], s[i + 9] = starts_at, ends_at - 1, 0, 0, 0, 0, 0, 0 end
  end
  if i and code >= 16 then
    if spent ~= 0 then add_to_bucket(s, i, starts_at, spent) end
    s[i + 5] = within(s[i + 5] + held)
  elseif i and s[i + 2] == starts_at then
    s[i + 4], s[i + 5] = within(s[i + 4] + spent), within(s[i + 5] + held)
  end
end
write('s' .. key, pack_scope(s))
return finish('K')
