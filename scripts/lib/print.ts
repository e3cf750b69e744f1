/** Tables and colours that a person wants to read; plain text when the output is not a terminal. */

import Table from 'cli-table3';
import colors from 'picocolors';

export type Cell = string | number;

/** A table with a bold head; numbers are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const numeric = head.map((_, column) => rows.length > 0 && rows.every((row) => isNumeric(row[column])));
  const out = new Table({
    head: head.map((text) => colors.bold(text)),
    colAligns: numeric.map((right) => (right ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) out.push(row.map(String));
  return out.toString();
}

function isNumeric(cell: Cell | undefined): boolean {
  if (typeof cell === 'number' || cell === undefined) return true;
   
  const plain = cell.replace(/\u001b\[\d+m/g, '');
  return /^[-+]?[\d.,]+ ?(%|x|ms|s|us|B|KiB|MiB|MB)?$/.test(plain) || plain === '-' || plain === '';
}

export const good = (text: string): string => colors.green(text);
export const bad = (text: string): string => colors.red(text);
export const dim = (text: string): string => colors.dim(text);
export const strong = (text: string): string => colors.bold(text);

export function verdictMark(passed: boolean): string {
  return passed ? colors.green('PASS') : colors.red('FAIL');
}

export function bytes(n: number): string {
  if (n < 10 * 1024) return `${Math.round(n)} B`;
  if (n < 10 * 1024 * 1024) return `${(n / 1024).toFixed(0)} KiB`;
  return `${(n / 1024 / 1024).toFixed(1)} MiB`;
}

const began = performance.now();

/** A line with the time since the start, so that a log reads as a tape. */
export function say(text: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${dim(`${seconds} s`)}  ${text}`);
}

/** A line that overwrites itself on a terminal and stays silent elsewhere. */
export function progress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[2K${dim(text)}`);
}

export function endProgress(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[2K');
}
