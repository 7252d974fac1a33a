// Figures as they are printed: quantiles, numbers of three digits, tables in Markdown.

// NaN where there is nothing.
export function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const [lower, upper] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return lower + (upper - lower) * (place - Math.floor(place));
}

export function shown(figure) {
  if (!Number.isFinite(figure)) return '–';
  return figure.toFixed(figure >= 100 ? 0 : figure >= 10 ? 1 : 2);
}

// Columns of numbers stand to the right, and such whose head is in `texts` to the left.
export function table(heads, rows, texts = []) {
  if (rows.length === 0) return '';
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = heads.slice(1).map((head) => (texts.includes(head) ? '---' : '--:'));
  return [line(heads), `|---|${rule.join('|')}|`, ...rows.map(line)].join('\n');
}
