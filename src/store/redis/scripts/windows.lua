-- The windows that a request names, as they stand. Included by what tests or reads them.
--
-- In ARGV: B scopes, each I2 key, B windows; each B code | I7 length | I7 limit + 1 | I7 block max | I7 block pre | I7 degrade max + 1
-- | I7 degrade pre | I7 x 4 the boundaries of three consecutive windows around the client's idea of now | I4 mark of the alerts
-- | B alerts, I2 percent x 100 each
-- Replies hold the readings, scope by scope: for each window I7 held | I7 spent | I7 startsAt | I7 endsAt, as columns. More codes:
--   S none of the three windows contains store time: correct the clock and repeat
local keys, firsts, terms, count = {}, {}, {}, 0
-- Of each window, from n on: code, length, limit, block max, block pre, degrade max, degrade pre, 4 boundaries, alerts, their place,
-- then startsAt, endsAt, spent, held, where it stands in its scope, and the mark of its alerts.
local STRIDE = 19

local function parse_windows()
  local scopes, length, windows
  scopes, at = punpack('<B', A, at)
  local n = 0
  for index = 1, scopes do
    length, at = punpack('<I2', A, at)
    keys[index] = sub(A, at, at + length - 1)
    windows, at = punpack('<B', A, at + length)
    firsts[index] = n
    for _ = 1, windows do
      local t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, mark, t12, after = punpack('<BI7I7I7I7I7I7I7I7I7I7I4B', A, at)
      terms[n + 1], terms[n + 2], terms[n + 3], terms[n + 4], terms[n + 5], terms[n + 6], terms[n + 7] = t1, t2, t3 - 1, t4, t5, t6 - 1, t7
      terms[n + 8], terms[n + 9], terms[n + 10], terms[n + 11], terms[n + 12], terms[n + 13] = t8, t9, t10, t11, t12, after
      terms[n + 14], terms[n + 15], terms[n + 16], terms[n + 17], terms[n + 18], terms[n + 19] = 0, 0, 0, 0, 0, mark
      at = after + 2 * t12
      n = n + STRIDE
    end
  end
  count = n
  firsts[scopes + 1] = n
end

-- Fills in how the windows stand. False where the client must correct its clock first.
local function read_windows(scopes)
  for index = 1, #keys do
    local s, guess = scopes[index], 5
    for n = firsts[index], firsts[index + 1] - STRIDE, STRIDE do
      local code, length = terms[n + 1], terms[n + 2]
      local i = s and find(s, code, length, guess) or 0
      guess = i > 0 and i + 10 or guess
      terms[n + 18] = i
      if code >= 16 then
        local size, bucket = ceil(length / 20), bucket_of(length, now)
        terms[n + 14], terms[n + 15] = (bucket - 20) * size, (bucket + 21) * size
        terms[n + 16], terms[n + 17] = i > 0 and rolling_spent(s, i, now) or 0, i > 0 and s[i + 5] or 0
      elseif i > 0 and now < s[i + 3] then
        terms[n + 14], terms[n + 15], terms[n + 16], terms[n + 17] = s[i + 2], s[i + 3], s[i + 4], s[i + 5]
      else
        -- The stored window rules until its end; the next one starts no earlier than that, whatever its zone says.
        local b = n + 8
        if now >= terms[b + 1] then b = b + 1 end
        if b == n + 9 and now >= terms[b + 1] then b = b + 1 end
        if now < terms[b] or now >= terms[b + 1] then return false end
        local starts_at, ended = terms[b], i > 0 and s[i + 3] or 0
        terms[n + 14], terms[n + 15], terms[n + 16], terms[n + 17] = ended > starts_at and ended or starts_at, terms[b + 1], 0, 0
      end
    end
  end
  return true
end

local function pack_readings()
  local parts, p = {}, 0
  for index = 1, #keys do
    for _, column in ipairs({17, 16, 14, 15}) do
      for n = firsts[index], firsts[index + 1] - STRIDE, STRIDE do
        p = p + 1
        parts[p] = pack('<I7', terms[n + column])
      end
    end
  end
  return concat(parts)
end

-- When rolling windows will count less: for each B index | B times, each I7 at | I7 amount.
local function pack_freeing(scopes)
  local parts, window = {}, 0
  for index = 1, #keys do
    local s = scopes[index]
    for n = firsts[index], firsts[index + 1] - STRIDE, STRIDE do
      if terms[n + 1] >= 16 and terms[n + 18] > 0 then
        local i, size, times = terms[n + 18], ceil(terms[n + 2] / 20), {}
        local oldest, newest = live_buckets(s, i, now)
        for bucket = oldest, newest do
          local amount = s[i + 4][bucket % 21 + 1]
          if amount > 0 then times[#times + 1] = pack('<I7I7', (bucket + 21) * size, amount) end
        end
        parts[#parts + 1] = pack('<I2B', window, #times) .. concat(times)
      end
      window = window + 1
    end
  end
  return concat(parts)
end

-- Counts a hold of these amounts in every window, as placed now; requests count at once.
local function place(scopes, tier, microcents, tokens)
  for index = 1, #keys do
    local s = scopes[index]
    s[3] = s[3] + 1
    -- Only a user's own scope, which is the first, is asked for its tier.
    if index == 1 then s[4] = tier end
    for n = firsts[index], firsts[index + 1] - STRIDE, STRIDE do
      local code, i = terms[n + 1], terms[n + 18]
      if i == 0 then
        -- A scope that names a window twice has it once.
        i = find(s, code, terms[n + 2], 0) or add_window(s, code, terms[n + 2])
      end
      if code < 16 and (s[i + 2] ~= terms[n + 14] or s[i + 3] ~= terms[n + 15]) then
        if s[i + 3] > 0 then insert(effects, 'w' .. pack('<BI7I7', code, terms[n + 14], terms[n + 15]) .. keys[index]) end
        s[i + 2], s[i + 3], s[i + 4], s[i + 5], s[i + 6], s[i + 7], s[i + 8], s[i + 9] = terms[n + 14], terms[n + 15], 0, 0, 0, 0, 0, 0
      end
      if code % 4 == 2 then
        spend(keys[index], s, i, 1, now, terms[n + 3], terms[n + 19], terms[n + 12], A, terms[n + 13])
      else
        s[i + 5] = within(s[i + 5] + (code % 4 == 0 and microcents or tokens))
      end
    end
  end
end
