-- Whether the time of a shared fact is over. Included by what looks at them, behind the meta field in `meta`.
local _, kept_time = punpack('<c8I7', meta)
local has_seen_end = false

local function is_over(over_at)
  if now < over_at then return false end
  if kept_time < over_at then has_seen_end = true end
  return true
end

-- Once somebody was told that it is over, store time is kept: should the server's clock go back, it stays over.
local function answer(code, rest)
  if has_seen_end then return finish(code, rest) end
  return reply(code, rest)
end
