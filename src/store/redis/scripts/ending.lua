-- What the scripts that end one hold begin with: the hold of the id at `at`, after everything that was due before has ended.
local length, id
length, at = punpack('<I2', A, at)
id = sub(A, at, at + length - 1)
at = at + length
local fields = {'m', 'h' .. id}
--include fetch
if next_forget + 250 <= now then forget_some() end
local h = found[2] and parse_hold(id, found[2])
if h and not is_remembered(h) then h = nil end
