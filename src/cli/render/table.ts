/**
 * Tables for terminals. No colours and no wrapping: what is printed can be cut, grepped and pasted.
 */

export type Cell = string | number | boolean | bigint;

/** As etcdctl draws them: headers centred, cells to the right. */
export function boxTable(headers: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(String));
  const widths = headers.map((header, i) => Math.max(header.length, ...texts.map((row) => (row[i] ?? '').length)));
  const line = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+\n`;
  const draw = (cells: readonly string[], pad: (cell: string, width: number) => string): string =>
    `| ${widths.map((width, i) => pad(cells[i] ?? '', width)).join(' | ')} |\n`;
  const centred = (cell: string, width: number): string => cell.padStart(cell.length + Math.floor((width - cell.length) / 2)).padEnd(width);
  const body = texts.map((row) => draw(row, (cell, width) => cell.padStart(width))).join('');
  return line + draw(headers.map((h) => h.toUpperCase()), centred) + line + body + line;
}

const NUMERIC = /^-?[\d.,]+(?: ?[KMGTPE]?i?B(?:\/s)?| ?ms| ?s| ?%)?$/;

/** Without lines: text to the left, columns of numbers to the right. */
export function plainTable(headers: readonly string[], rows: readonly (readonly Cell[])[], indent = ''): string {
  const texts = rows.map((row) => row.map(String));
  const right = headers.map((_, i) => texts.length > 0 && texts.every((row) => /^-?$/.test(row[i] ?? '') || NUMERIC.test(row[i] ?? '')));
  const widths = headers.map((header, i) => Math.max(header.length, ...texts.map((row) => (row[i] ?? '').length)));
  const draw = (cells: readonly string[]): string => {
    const padded = widths.map((width, i) => (right[i] === true ? (cells[i] ?? '').padStart(width) : (cells[i] ?? '').padEnd(width)));
    return `${indent}${padded.join('  ')}`.trimEnd() + '\n';
  };
  return draw(headers) + texts.map(draw).join('');
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `3.2 s`, `4 min 10 s`. */
export function formatSeconds(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
