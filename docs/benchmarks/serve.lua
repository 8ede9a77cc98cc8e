-- Sends the requests of a file, one after the other, and prints what came of them
-- as JSON. Arguments: the file, in which each body follows a line with its
-- length; the mean pause of a connection before each request, in milliseconds, or
-- 0 for none; and headers as "Name: value". Pauses are drawn from the exponential
-- distribution, so that requests come independently of each other.

local requests, at = {}, 0

function init(args)
  local headers, mean = {}, tonumber(args[2])
  if mean > 0 then
    delay = function() return math.floor(math.random() - mean * math.log(1 - math.random())) end
  end
  for i = 3, #args do
    local name, value = args[i]:match("^(.-): (.*)$")
    headers[name] = value
  end
  local file = assert(io.open(args[1], "rb"))
  for line in file:lines() do
    requests[#requests + 1] = wrk.format("POST", nil, headers, file:read(tonumber(line)))
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nJSON {"p50":%f,"p99":%f,"requests":%d,"seconds":%f,"failed":%d}\n',
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout))
end
