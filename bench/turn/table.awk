# The lines of turn.tsv as Markdown tables, medians of the rounds.
# Columns: server, path, bytes, clients, interval, loss %; KiB of memory at rest: RSS, PSS, with all allocations
# open: RSS, PSS; of the measured seconds: wall us, packets, CPU us of server, client, peer.
BEGIN { FS = "\t" }

{
  cell = $2 SUBSEP $3 SUBSEP $4 SUBSEP $5
  if (!((cell) in seen)) { seen[cell] = ++cells; cell_at[cells] = cell }
  add($1, cell, "cpu", $13 / $12)
  add($1, cell, "rate", $12 / $11 * 1e6)
  add($1, cell, "loss", $6)
  add($1, cell, "cores", $13 / $11)
  add($1, cell, "client", $14 / $11)
  if ($4 == 400) {
    add($1, "", "base_rss", $7 / 1024)
    add($1, "", "rss", $9 / 1024)
    add($1, "", "pss", $10 / 1024)
    add($1, "", "each", ($9 - $7) / $4)
  }
}

END {
  print "| CPU per relayed packet, us | peerway | coturn | ratio | goal | met |"
  print "|---|--:|--:|--:|--:|---|"
  for (i = 1; i <= cells; i++) {
    split(cell_at[i], part, SUBSEP)
    compare(title(), cell_at[i], "cpu", "%.2f", part[3] >= 100 ? 0.5 : 0)
  }
  if (count["peerway", "", "rss"] || count["coturn", "", "rss"]) {
    compare("resident memory at rest, MiB", "", "base_rss", "%.1f", 0)
    compare("resident memory, 400 allocations open, MiB", "", "rss", "%.1f", 0)
    compare("of it proportional (PSS), MiB", "", "pss", "%.1f", 0)
    compare("growth per allocation, KiB", "", "each", "%.1f", 0)
  }
  print ""
  print "| the same runs | relayed packets/s | loss | cores of uclient | cores of the server | packets/s per core, derived |"
  print "|---|--:|--:|--:|--:|--:|"
  for (i = 1; i <= cells; i++) {
    split(cell_at[i], part, SUBSEP)
    detail("peerway")
    detail("coturn")
  }
}

function title() {
  return (part[1] == "echo" ? "to a peer and back" : "client to client") ", " part[2] " B, " part[3] " clients, " part[4] " ms"
}

function add(server, cell, figure, value) {
  values[server, cell, figure, ++count[server, cell, figure]] = value
}

function median(server, cell, figure,    n, i, j, sorted, value) {
  n = count[server, cell, figure]
  for (i = 1; i <= n; i++) {
    value = values[server, cell, figure, i]
    for (j = i; j > 1 && sorted[j - 1] > value; j--) sorted[j] = sorted[j - 1]
    sorted[j] = value
  }
  return (sorted[int((n + 1) / 2)] + sorted[int(n / 2) + 1]) / 2
}

function shown(server, cell, figure, form) {
  return count[server, cell, figure] ? sprintf(form, median(server, cell, figure)) : ""
}

# A goal of 0 is none.
function compare(name, cell, figure, form, goal,    ours, theirs, ratio, met) {
  ours = shown("peerway", cell, figure, form)
  theirs = shown("coturn", cell, figure, form)
  if (ours != "" && theirs != "" && median("coturn", cell, figure) > 0) {
    ratio = median("peerway", cell, figure) / median("coturn", cell, figure)
    met = ratio <= goal ? "yes" : "**no**"
  }
  printf "| %s | %s | %s | %s | %s | %s |\n", name, ours, theirs,
    ratio == "" ? "" : sprintf("%.2f", ratio), goal ? sprintf("≤ %.2f", goal) : "", goal ? met : ""
}

function detail(server) {
  if (!count[server, cell_at[i], "cpu"]) return
  printf "| %s, %s | %.0f | %.2f %% | %.2f | %.2f | %.0f |\n", title(), server,
    median(server, cell_at[i], "rate"), median(server, cell_at[i], "loss"), median(server, cell_at[i], "client"),
    median(server, cell_at[i], "cores"), 1e6 / median(server, cell_at[i], "cpu")
}
