// A small line chart of the last minute. It has words for those who do not see it.

import { el, svg } from './dom.js';
import { texts } from './texts.js';

const POINTS = 60;
const [WIDTH, HEIGHT] = [240, 56];

export interface Chart {
  element: HTMLElement;
  // One value for each line; undefined leaves a gap.
  add(values: (number | undefined)[]): void;
  clear(): void;
}

export function chart(name: string, lines: string[], format: (value: number) => string, least: number): Chart {
  const paths = lines.map((_line, index) =>
    svg('path', { class: `line line-${index}`, 'vector-effect': 'non-scaling-stroke' }),
  );
  const top = el('span', { class: 'chart-top', 'aria-hidden': true });
  const picture = svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': name },
    ...paths,
  );
  const legend =
    lines.length > 1 &&
    el(
      'p',
      { class: 'legend', 'aria-hidden': true },
      ...lines.map((line, index) => el('span', { class: `key key-${index}` }, line)),
    );
  const element = el('figure', { class: 'chart' }, el('figcaption', {}, name, top), picture, legend);
  let values: (number | undefined)[][] = [];

  function draw(): void {
    const known = values.flat().filter((value) => value !== undefined);
    const most = Math.max(least, ...known);
    paths.forEach((path, line) =>
      path.setAttribute(
        'd',
        pathOf(
          values.map((point) => point[line]),
          most,
        ),
      ),
    );
    top.textContent = known.length ? format(Math.max(...known)) : '';
    const now = values.at(-1)?.find((value) => value !== undefined);
    const words = now === undefined ? name : texts.facts.chartNow(name, format(now), format(Math.max(...known)));
    picture.setAttribute('aria-label', words);
  }

  return {
    element,
    add(point) {
      values = [...values, point].slice(-POINTS);
      draw();
    },
    clear() {
      values = [];
      draw();
    },
  };
}

// The newest at the right edge.
export function pathOf(points: (number | undefined)[], most: number): string {
  let path = '';
  let pen = 'M';
  points.forEach((value, index) => {
    if (value === undefined) {
      pen = 'M';
      return;
    }
    const x = ((index + POINTS - points.length) / (POINTS - 1)) * WIDTH;
    const y = HEIGHT - 2 - (value / most) * (HEIGHT - 4);
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = 'L';
  });
  return path;
}
