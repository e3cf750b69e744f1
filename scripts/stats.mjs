#!/usr/bin/env node
/**
 * `npm run stats`: the size of the source tree, counted and never written by hand. Files, lines and
 * folders of src, the largest files, and for each floor and room how many lines of what ships stand
 * behind one assertion: a call of assert, must or unreachable, or of a function that only fails by
 * one (its result is `never`). `--rooms` shows the rooms too, `--largest N` so many files. Tests
 * and folders named testing count for themselves.
 */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { values: flags } = parseArgs({ options: { rooms: { type: 'boolean', default: false }, largest: { type: 'string', default: '10' } } });

const ASSERTIONS = new Set(['assert', 'must', 'unreachable']);
const ships = (path) => !path.endsWith('.test.ts') && !path.includes('/testing/');

function walk(node, visit) {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

const isCallOf = (node, names) => ts.isCallExpression(node) && ts.isIdentifier(node.expression) && names.has(node.expression.text);

function read(path) {
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  return { path, lines, source: ts.createSourceFile(path, text, ts.ScriptTarget.Latest) };
}

/** Functions that never return and assert: `ofNever(...)` is an assertion where it is called. */
function namesOfNever(files) {
  const names = new Set();
  for (const { source } of files) {
    walk(source, (node) => {
      if (!ts.isFunctionDeclaration(node) || node.type?.kind !== ts.SyntaxKind.NeverKeyword) return;
      walk(node, (inner) => {
        if (isCallOf(inner, ASSERTIONS)) names.add(node.name.text);
      });
    });
  }
  return names;
}

function assertionsIn(source, names) {
  let count = 0;
  walk(source, (node) => {
    if (isCallOf(node, names)) count++;
  });
  return count;
}

/** Sums by the folder that `folderOf` names. */
function sumBy(files, folderOf) {
  const sums = new Map();
  for (const { path, lines, assertions } of files) {
    const folder = folderOf(path);
    if (folder === undefined) continue;
    const sum = sums.get(folder) ?? { files: 0, lines: 0, assertions: 0 };
    sums.set(folder, { files: sum.files + 1, lines: sum.lines + lines, assertions: sum.assertions + assertions });
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
}

const right = (value, width) => String(value).padStart(width);

function printDensity(title, sums) {
  console.log(`\n${title.padEnd(32)}  files   lines  assertions  lines each`);
  for (const [folder, { files: count, lines, assertions }] of sums) {
    const each = assertions === 0 ? '-' : Math.round(lines / assertions);
    console.log(`  ${folder.padEnd(30)}  ${right(count, 5)}  ${right(lines, 6)}  ${right(assertions, 10)}  ${right(each, 10)}`);
  }
}

const sources = readdirSync('src', { recursive: true }).map((path) => join('src', path)).filter((path) => path.endsWith('.ts')).map(read);
const asserting = new Set([...ASSERTIONS, ...namesOfNever(sources)]);
const files = sources.map(({ path, lines, source }) => ({ path, lines, assertions: ships(path) ? assertionsIn(source, asserting) : 0 }));
const shipped = files.filter(({ path }) => ships(path));
const total = (list) => list.reduce((sum, { lines }) => sum + lines, 0);
const folders = new Set();
for (const { path } of files) for (let dir = dirname(path); dir !== '.'; dir = dirname(dir)) folders.add(dir);

console.log(`src: ${files.length} files in ${folders.size} folders, ${total(files)} lines`);
console.log(`  ${shipped.length} files and ${total(shipped)} lines ship, ${files.length - shipped.length} and ${total(files) - total(shipped)} test`);

console.log('\nlargest files');
for (const { path, lines } of [...files].sort((a, b) => b.lines - a.lines).slice(0, Number(flags.largest))) console.log(`  ${right(lines, 4)}  ${path}`);

const floorOf = (path) => path.split('/').length > 2 ? path.split('/')[1] : undefined;
printDensity('what ships, by floor', sumBy(shipped, floorOf));
const CORE = new Set(['storage', 'raft', 'replica', 'healing']);
printDensity('together', sumBy(shipped, (path) => (CORE.has(floorOf(path)) ? 'storage, raft, replica, healing' : undefined)));
if (flags.rooms) printDensity('by room', sumBy(shipped, (path) => dirname(path).slice('src/'.length) || undefined));

const counted = spawnSync(process.execPath, ['scripts/count-functions.mjs'], { encoding: 'utf8' });
console.log(`\n${counted.stdout.trim().split('\n').at(-1)}`);
