-- Reserve, judged as Holdfast judges it: what is due first, then idempotency, phase, quantity, limit, stock, line.
-- A refusal writes nothing of its own. Every key that is touched is declared.
--
-- KEYS  1 item (hash)   2 reservations (hash: number -> record)   3 customers (hash: customer -> live units,
--       customer \n key -> what was asked and answered)   4 holds (sorted set: number by end)   5 line (list)
-- ARGV  1 customer   2 idempotency key   3 quantity   4 whether to wait (1 or 0)   5 how much may happen of what is due
-- Numbers stay below 10^14, so that Lua writes them in full.
local ITEM, RESERVATIONS, CUSTOMERS, HOLDS, LINE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local call = redis.call
local customer, quantity, wants_to_wait = ARGV[1], tonumber(ARGV[3]), ARGV[4] == '1'
local asked = ARGV[3] .. '/' .. ARGV[4]

local read = call('HMGET', ITEM, 'phase', 'available', 'held', 'waiting', 'next', 'sequence', 'due', 'per_order',
  'per_customer', 'hold_ms', 'line_max')
local phase = read[1]
if not phase then
  return 'refused not_found'
end
local available, held, waiting = tonumber(read[2]), tonumber(read[3]), tonumber(read[4])
local number, sequence, due = tonumber(read[5]), tonumber(read[6]), tonumber(read[7])
local per_order, per_customer = tonumber(read[8]), tonumber(read[9])
local hold_ms, line_max = tonumber(read[10]), tonumber(read[11])
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function keep()
  call('HSET', ITEM, 'available', available, 'held', held, 'waiting', waiting, 'next', number, 'sequence', sequence,
    'due', due)
end

local function record_of(which)
  local state, units, who = call('HGET', RESERVATIONS, which):match('^(%S+) (%d+) (.*)$')
  return state, tonumber(units), who
end

-- What is due happens first: holds end in the order of their ends, then the line moves up, strictly from its head.
local function happen(budget)
  for _, ended in ipairs(call('ZRANGEBYSCORE', HOLDS, '-inf', now, 'LIMIT', 0, budget)) do
    local _, units, who = record_of(ended)
    call('ZREM', HOLDS, ended)
    call('HSET', RESERVATIONS, ended, 'expired ' .. units .. ' ' .. who)
    call('HINCRBY', CUSTOMERS, who, -units)
    available, held, sequence = available + units, held - units, sequence + 1
    budget = budget - 1
  end
  while phase == 'open' and waiting > 0 and available > 0 and budget > 0 do
    local head = call('LINDEX', LINE, 0)
    local _, units, who = record_of(head)
    if units > available + held then
      call('HSET', RESERVATIONS, head, 'lapsed ' .. units .. ' ' .. who)
      call('HINCRBY', CUSTOMERS, who, -units)
    elseif units <= available then
      call('HSET', RESERVATIONS, head, 'held ' .. units .. ' ' .. who)
      call('ZADD', HOLDS, now + hold_ms, head)
      available, held = available - units, held + units
    else
      break
    end
    call('LPOP', LINE)
    waiting, sequence, budget = waiting - 1, sequence + 1, budget - 1
  end
  due = tonumber(call('ZRANGE', HOLDS, 0, 0, 'WITHSCORES')[2]) or 0
  keep()
end

if (due > 0 and due <= now) or (waiting > 0 and available > 0 and phase == 'open') then
  happen(tonumber(ARGV[5]))
end

local known = call('HMGET', CUSTOMERS, customer, customer .. '\n' .. ARGV[2])
if known[2] then
  local content, answer = known[2]:match('^(%S+) (.*)$')
  if content ~= asked then
    return 'refused idempotency_key_reused'
  end
  return 'again ' .. answer
end
if phase ~= 'open' then
  return 'refused sale_not_open'
end
if quantity < 1 or quantity > per_order then
  return 'refused quantity_above_maximum'
end
local live = tonumber(known[1] or 0) + quantity
if live > per_customer then
  return 'refused customer_limit_reached'
end

local answer
if waiting == 0 and quantity <= available then
  available, held = available - quantity, held + quantity
  local ends = now + hold_ms
  call('ZADD', HOLDS, ends, number)
  if due == 0 or ends < due then
    due = ends
  end
  call('HSET', RESERVATIONS, number, 'held ' .. quantity .. ' ' .. customer)
  answer = 'held ' .. number .. ' ' .. (sequence + 1) .. ' ' .. now .. ' ' .. ends
elseif line_max == 0 or not wants_to_wait then
  return (available == 0 or waiting > 0) and 'refused sold_out' or 'refused insufficient_stock'
elseif quantity > available + held then
  return available + held == 0 and 'refused sold_out' or 'refused insufficient_stock'
elseif waiting >= line_max then
  return 'refused waitlist_full'
else
  waiting = waiting + 1
  call('RPUSH', LINE, number)
  call('HSET', RESERVATIONS, number, 'waiting ' .. quantity .. ' ' .. customer)
  answer = 'waiting ' .. number .. ' ' .. (sequence + 1) .. ' ' .. now .. ' ' .. waiting
end
number, sequence = number + 1, sequence + 1
call('HSET', CUSTOMERS, customer, live, customer .. '\n' .. ARGV[2], asked .. ' ' .. answer)
keep()
return answer
