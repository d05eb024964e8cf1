-- Mends counters or the outbox after an audit: all of it, unless another repair was made since the snapshot that it is based on.
--
-- ARGV 1, after the header: I7 the number of repairs in that snapshot + 1, or 0 | I4 counters, for each
--   s scope key | B 1 where a window is meant, 0 for the sums of the scope | B code | I7 length | I7 startsAt
--   | I7 endsAt + 1 where a window that is not there is begun, or 0 | i8 to add to spent | i8 to add to held | i8 to add to entries
--   | I4 entries, for each s model | s provider | s tier | i8 microcents | i8 tokens
--     | B 0 where it moves what was summed when it was charged | I4 the text for the outbox
-- Returns  K mended    G another repair came first
-- Field R: how many repairs were made.
--include common
--include endings
local found = call('HMGET', STATE, 'm', 'R')
local stopped = begin(found[1])
if stopped then return reply(stopped) end
local repairs, counters, entries
repairs, counters, at = punpack('<I7I4', A, at)
local made = tonumber(found[2] or '0')
if repairs > 0 and repairs - 1 ~= made then return reply('G') end
write('R', string.format('%.0f', made + 1))

local mended = {}
for _ = 1, counters do
  local key, is_window, code, length, starts_at, ends_at, spent, held, count
  key, is_window, code, length, starts_at, ends_at, spent, held, count, at = punpack('<sBBI7I7I7i8i8i8', A, at)
  local s = mended[key]
  if not s then
    local value = call('HGET', STATE, 's' .. key)
    s = value and parse_scope(value) or ends_at > 0 and new_scope(key)
  end
  if s then
    mended[key] = s
    if is_window == 0 then
      s[1], s[2] = within(s[1] + spent), within(s[2] + count)
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
  end
end
-- Some at a time: a call takes no more arguments than Lua's stack holds.
for key, s in pairs(mended) do call('HSET', STATE, 's' .. key, pack_scope(s)) end

entries, at = punpack('<I4', A, at)
for _ = 1, entries do
  local model, provider, tier, microcents, tokens, is_summed, text
  model, provider, tier, microcents, tokens, is_summed, text, at = punpack('<sssi8i8BI4c0', A, at)
  add_to_outbox(text)
  if is_summed == 1 then count_total({model = model, provider = provider, tier = tier}, microcents, tokens) end
end
for index = 1, #writes, 2 do call('HSET', STATE, writes[index], writes[index + 1]) end
writes = {}
return finish('K')
