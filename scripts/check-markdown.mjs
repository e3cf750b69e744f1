#!/usr/bin/env node
/**
 * Part of `npm run lint`: lines of Markdown are at most 100 columns. Excepted are tables, code
 * blocks and lines of one word that cannot be broken, such as a link. Exits 1 and names each line
 * that is too long; `--fix` wraps the paragraphs that have one. Without names of files: all of the
 * repository.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const MAX_COLUMNS = 100;
const SKIP = new Set(['node_modules', 'dist', 'coverage']);
const ITEM = /^(\s*)(?:[-*] |\d+\. |> )?/;

function* documents(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && !SKIP.has(entry.name) && !entry.name.startsWith('.')) yield* documents(path);
    else if (entry.isFile() && entry.name.endsWith('.md')) yield path;
  }
}

const columns = (text) => [...text].length;
const isTooLong = (line) => columns(line) > MAX_COLUMNS && line.slice(ITEM.exec(line)[0].length).includes(' ');

/** Blocks of lines: what may be wrapped (`text`), and what stays as it is. */
function blocksOf(lines) {
  const blocks = [];
  let fence;
  for (const line of lines) {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    const wasFenced = fence !== undefined;
    if (wasFenced ? mark?.startsWith(fence) : mark !== undefined) fence = wasFenced ? undefined : mark;
    const isText = !wasFenced && mark === undefined && !/^\s*(?:$|\||#|<)/.test(line);
    const begins = /^\s*(?:[-*] |\d+\. |> )/.test(line);
    const last = blocks.at(-1);
    if (isText && !begins && last?.isText) last.lines.push(line);
    else blocks.push({ isText, isCode: wasFenced || mark !== undefined, lines: [line] });
  }
  return blocks;
}

/** Words, where code stays in one piece and no word could begin a list, a heading or a quote. */
function wordsOf(text) {
  const words = text.match(/(?:`[^`]*`|\S)+/g) ?? [];
  const glued = [];
  for (const word of words) {
    if (/^(?:[-*+>#|%]+|\d+\.)$/.test(word) && glued.length > 0) glued.push(`${glued.pop()} ${word}`);
    else glued.push(word);
  }
  return glued;
}

function wrap(lines) {
  const first = ITEM.exec(lines[0])[0];
  const rest = first.includes('>') ? first : ' '.repeat(first.length);
  const out = [];
  let line = first;
  for (const word of wordsOf(lines.map((text, i) => (i === 0 ? text.slice(first.length) : text.trim())).join(' '))) {
    const isEmpty = line === first || line === rest;
    if (!isEmpty && columns(line) + 1 + columns(word) > MAX_COLUMNS) {
      out.push(line);
      line = rest + word;
    } else line += isEmpty ? word : ` ${word}`;
  }
  return [...out, line];
}

const fix = process.argv.includes('--fix');
const named = process.argv.slice(2).filter((word) => word !== '--fix');
let files = 0;
let tooLong = 0;
for (const path of named.length > 0 ? named : documents('.')) {
  files++;
  const blocks = blocksOf(readFileSync(path, 'utf8').split('\n'));
  let at = 0;
  for (const block of blocks) {
    if (fix && block.isText && block.lines.some(isTooLong)) block.lines = wrap(block.lines);
    for (const line of block.lines) {
      at++;
      if (block.isCode || line.startsWith('|') || !isTooLong(line)) continue;
      tooLong++;
      console.error(`${path}:${at}: ${columns(line)} columns, at most ${MAX_COLUMNS} are easy to read`);
    }
  }
  if (fix) writeFileSync(path, blocks.flatMap((block) => block.lines).join('\n'));
}
if (files === 0) console.error('no Markdown was found: this check sees nothing');
if (tooLong > 0 || files === 0) process.exit(1);
console.log(`${files} Markdown files, no line above ${MAX_COLUMNS} columns`);
