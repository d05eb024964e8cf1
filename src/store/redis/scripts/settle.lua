-- Ends a hold with what its call really cost.
--
-- ARGV 1, after the header: I2 id | I7 microcents | I7 tokens + 1, 0 for what was held | s model, empty for the decided one
-- Returns  K settled: B replayed | B late | I7 held microcents | facts      U unknown    E ended otherwise: B state
--include endings
--include ending
if not h then return finish('U') end
local microcents, tokens, model = punpack('<I7I7s', A, at)
tokens = tokens == 0 and h.held_tokens or tokens - 1
local late, replayed = h.state == 3, h.state == 1
if h.state == 2 or (replayed and (h.microcents ~= microcents or h.tokens ~= tokens)) then return finish('E', pack('<B', h.state)) end
if replayed then
  late = flag(h, 4)
else
  if model ~= '' then h.model = model end
  if late then correct_expired(h, microcents, tokens) else end_hold(h, 1, 1, microcents, tokens, now) end
  save_scopes()
end
return finish('K', pack('<BBI7', replayed and 1 or 0, late and 1 or 0, h.held_microcents) .. h.facts)
