// The records of run.mjs as Markdown tables: medians of the rounds, and their ratios to Chromium and Chromium.

import { quantile, shown, table } from '../figures.mjs';

const REFERENCE = 'chromium:chromium';
const NAMES = { rust: 'Rust', chromium: 'Chromium' };
const OPEN_GOALS_MS = { 'rust:rust': 5, 'rust:chromium': 25, 'chromium:rust': 25 };
const HELD_GOAL_KB = 200;
// Columns that hold words.
const TEXTS = ['met'];

export function tables(records) {
  const of = (figure) => records.filter((record) => record.figure === figure);
  return [connect(of('connect')), throughput(of('throughput')), memory(of('memory'))].filter(Boolean).join('\n\n');
}

function connect(records) {
  const times = (pair, part) => {
    const all = records.filter((record) => record.pair === pair).flatMap(({ milliseconds }) => milliseconds);
    return quantile(all, part);
  };
  const rows = distinct(records, ({ pair }) => pair).map((pair) => {
    const [median, reference, goal] = [times(pair, 0.5), times(REFERENCE, 0.5), OPEN_GOALS_MS[pair]];
    const cells = [shown(median), shown(times(pair, 0.95)), shown(median / reference)];
    return [title(pair), ...cells, ...(goal ? [`≤ ${goal} ms`, met(median, (median) => median <= goal)] : ['', ''])];
  });
  const heads = ['from `connect` to open, ms', 'median', 'p95', 'median, of Chromium and Chromium', 'goal', 'met'];
  return table(heads, rows, TEXTS);
}

function throughput(records) {
  const rows = distinct(records, ({ size }) => size).sort((a, b) => a - b).flatMap((size) => {
    const ofSize = records.filter((record) => record.size === size);
    const median = (pair, name) =>
      quantile(
        ofSize.filter((record) => record.pair === pair).map((record) => record[name]),
        0.5,
      );
    return distinct(ofSize, ({ pair }) => pair).map((pair) => {
      const ratio = (name) => median(pair, name) / median(REFERENCE, name);
      const goal = pair === REFERENCE ? ['', ''] : ['≥ 1.00', met(ratio('rate'), (rate) => rate >= 1)];
      const cpu = ['senderCpu', 'receiverCpu'].flatMap((name) => [shown(median(pair, name)), shown(ratio(name))]);
      return [`${title(pair)}, ${size} KiB`, shown(median(pair, 'rate')), shown(ratio('rate')), ...goal, ...cpu];
    });
  });
  const cpuHeads = ['sender, CPU s/GB', 'ratio', 'receiver, CPU s/GB', 'ratio'];
  const heads = ['reliable, messages of', 'MB/s', 'of Chromium and Chromium', 'goal', 'met', ...cpuHeads];
  return table(heads, rows, TEXTS);
}

function memory(records) {
  const median = (held, name, side) =>
    quantile(
      records.filter((record) => record.held === held).map((record) => record[name][side]),
      0.5,
    );
  const counts = distinct(records, ({ held }) => held);
  const row = (name, each, cpu = []) => {
    const worse = Math.max(...each);
    const goal = [`≤ ${HELD_GOAL_KB} KB`, met(worse, (worse) => worse <= HELD_GOAL_KB)];
    return [name, ...each.map(shown), shown(worse / HELD_GOAL_KB), ...goal, cpu.map(shown).join(', ')];
  };
  const rows = counts.map((held) => {
    const each = [0, 1].map((side) => (median(held, 'full', side) - median(held, 'base', side)) / held / 1000);
    const cpu = [0, 1].map((side) => (median(held, 'cpu', side) / held) * 1e6);
    return row(`${held} held`, each, cpu);
  });
  if (counts.length > 1) {
    const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
    const growth = (side) => median(most, 'full', side) - median(fewest, 'full', side);
    const each = [0, 1].map((side) => growth(side) / (most - fewest) / 1000);
    rows.push(row(`from ${fewest} to ${most}`, each));
  }
  const heads = ['growth per idle connection, Rust to Rust', 'caller, KB', 'callee, KB', 'of the goal', 'goal', 'met'];
  return table([...heads, 'CPU of each, us/s'], rows, TEXTS);
}

const title = (pair) =>
  pair
    .split(':')
    .map((kind) => NAMES[kind])
    .join(' to ');

// Nothing is said of what was not measured.
const met = (figure, isGood) => (Number.isNaN(figure) ? '' : isGood(figure) ? 'yes' : '**no**');

const distinct = (records, property) => [...new Set(records.map(property))];
