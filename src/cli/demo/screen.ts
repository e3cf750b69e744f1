/**
 * What the demo shows: a table that is drawn over itself on a terminal, or one line a second
 * without one.
 */

import type { Io } from '../ctl/context.js';
import { formatBytes, plainTable, type Cell } from '../render/table.js';
import type { DemoNode } from './demo-node.js';
import type { Workload } from './workload.js';

const HEADERS = ['NODE', 'ROLE', 'TERM', 'APPLIED', 'REVISION', 'TABLES', 'SIZE', 'CORRECTED', 'REPAIRED', 'HINTS', 'HEALS', 'SCRUB', 'OPS'];
const KEYS = 'f flip bits on a follower   s scrub   k kill the leader   r restart it   q quit';
const MAX_NOTES = 12;

/**
 * Rows that the text takes on a terminal this wide: a long line wraps, and moving the cursor up
 * counts rows, not lines.
 */
export function rowsOf(text: string, columns: number): number {
  const lines = text.split('\n').slice(0, -1);
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / columns)), 0);
}

function row(node: DemoNode): Cell[] {
  const { status: s } = node;
  if (s === undefined) return [node.name, node.running ? 'starting' : 'down', ...Array.from({ length: 10 }, () => '-'), node.opsUrl];
  const bytes = s.manifest.tables.reduce((sum, t) => sum + t.bytes, 0);
  const scrub = s.scrub.state === 'running' && s.scrub.totalBytes > 0 ? `${Math.floor((100 * s.scrub.scannedBytes) / s.scrub.totalBytes)} %` : s.scrub.state;
  return [
    node.name, s.role, s.term, s.appliedIndex, s.revision, s.manifest.tables.length, formatBytes(bytes), s.heal.correctedBlocks,
    s.heal.repairedBlocks, s.hints.length, s.heal.healsApplied, scrub, node.opsUrl,
  ];
}

function workLine(work: Workload): string {
  const gap = `longest gap ${Math.round(work.longestGapMs)} ms`;
  return `workload: ${work.puts} puts, ${work.gets} gets, ${work.wrong} wrong, ${work.failed} failed, ${gap}`;
}

export class Screen {
  readonly #io: Io;
  readonly #nodes: readonly DemoNode[];
  readonly #work: Workload;
  readonly #notes: string[] = [];
  #rows = 0;

  constructor(io: Io, nodes: readonly DemoNode[], work: Workload) {
    this.#io = io;
    this.#nodes = nodes;
    this.#work = work;
  }

  /** Something happened, and the command that does the same. */
  note(text: string, command?: string): void {
    const line = command === undefined ? text : `${text}\n    $ ${command}`;
    if (!this.#io.tty) return this.#io.out(`${line}\n`);
    this.#notes.push(...line.split('\n'));
    if (this.#notes.length > MAX_NOTES) this.#notes.splice(0, this.#notes.length - MAX_NOTES);
    this.draw();
  }

  draw(): void {
    if (!this.#io.tty) {
      this.#io.out(`${this.#statusLine()}\n`);
      return;
    }
    const text = `${plainTable(HEADERS, this.#nodes.map(row))}\n${workLine(this.#work)}\n\n${this.#notes.join('\n')}\n\n${KEYS}\n`;
    const up = this.#rows > 0 ? `\u001b[${this.#rows}A` : '';
    this.#io.out(`${up}\u001b[J${text}`);
    this.#rows = rowsOf(text, this.#io.columns ?? 80);
  }

  #statusLine(): string {
    const nodes = this.#nodes.map((node) => {
      const { status: s } = node;
      if (s === undefined) return `${node.name} ${node.running ? 'starting' : 'down'}`;
      return `${node.name} ${s.role} term ${s.term} applied ${s.appliedIndex} tables ${s.manifest.tables.length} corrected ${s.heal.correctedBlocks} ` +
        `hints ${s.hints.length} heals ${s.heal.healsApplied}`;
    });
    return `${nodes.join(' | ')} | ${workLine(this.#work)}`;
  }
}
