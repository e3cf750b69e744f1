#!/usr/bin/env node
// `npm run layers`, second half: imports go only downward, between folders of any depth.
// dependency-cruiser knows which floor may import which; here no two folders of src/ may need each
// other:
//   1. floors (the folders of src/), their tests included;
//   2. inside each folder, what ships: its sub-folders as wholes, and its own files;
//   3. every folder by itself, where the tests of a folder are a room above it.
// Exits 1 and prints, for each circle, an import or two of each of its arrows, the rarest arrow
// first.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const files = readdirSync('src', { recursive: true }).map((path) => join('src', path)).filter((path) => path.endsWith('.ts'));
const known = new Set(files);
const isTest = (path) => path.endsWith('.test.ts');
const ships = (path) => !isTest(path) && !path.includes('/testing/');

/** All imports between files of src/, type-only ones included. */
const imports = files.flatMap((from) =>
  ts.preProcessFile(readFileSync(from, 'utf8')).importedFiles
    .map(({ fileName }) => normalize(join(dirname(from), fileName)).replace(/\.js$/, '.ts'))
    .filter((to) => known.has(to))
    .map((to) => ({ from, to })),
);

/** Circles among the rooms that `roomOf` puts files into; undefined: the file counts nowhere. */
function circles(roomOf, counts = () => true) {
  const arrows = new Map();
  const why = new Map();
  for (const { from, to } of imports) {
    const [a, b] = [roomOf(from), roomOf(to)];
    if (a === undefined || b === undefined || a === b || !counts(from) || !counts(to)) continue;
    if (!arrows.has(a)) arrows.set(a, new Set());
    arrows.get(a).add(b);
    const key = `${a} > ${b}`;
    why.set(key, [...(why.get(key) ?? []), `${from} > ${to}`]);
  }
  const found = stronglyConnected(arrows).filter((rooms) => rooms.length > 1);
  return found.map((rooms) => {
    const inside = [...why].filter(([key]) => key.split(' > ').every((room) => rooms.includes(room)));
    inside.sort((a, b) => a[1].length - b[1].length);
    return { rooms: rooms.sort(), arrows: inside };
  });
}

/** Tarjan's algorithm. */
function stronglyConnected(arrows) {
  const order = new Map();
  const low = new Map();
  const stack = [];
  const parts = [];
  const visit = (room) => {
    order.set(room, order.size);
    low.set(room, order.get(room));
    stack.push(room);
    for (const next of arrows.get(room) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(room, Math.min(low.get(room), low.get(next)));
    }
    if (low.get(room) === order.get(room)) parts.push(stack.splice(stack.indexOf(room)));
  };
  for (const room of arrows.keys()) if (!order.has(room)) visit(room);
  return parts;
}

const folders = new Set();
for (const path of files) for (let dir = dirname(path); dir !== '.'; dir = dirname(dir)) folders.add(dir);

const found = [...circles((path) => path.split('/')[1]).map((circle) => ({ where: 'floors', ...circle }))];
for (const parent of [...folders].sort()) {
  const roomOf = (path) => {
    const dir = dirname(path);
    if (dir === parent) return `${parent}/*`;
    return dir.startsWith(`${parent}/`) ? dir.split('/').slice(0, parent.split('/').length + 1).join('/') : undefined;
  };
  found.push(...circles(roomOf, ships).map((circle) => ({ where: `in ${parent}`, ...circle })));
}
found.push(...circles((path) => `${dirname(path)}${isTest(path) ? '/*.test' : ''}`).map((circle) => ({ where: 'folders', ...circle })));

for (const { where, rooms, arrows } of found) {
  console.error(`\ncircle (${where}): ${rooms.join(', ')}`);
  for (const [arrow, because] of arrows) console.error(`  ${arrow}: ${because.slice(0, 2).join('; ')}${because.length > 2 ? ` and ${because.length - 2} more` : ''}`);
}
if (imports.length === 0) console.error('no import was found: this check sees nothing');
if (found.length > 0 || imports.length === 0) process.exit(1);
console.log(`${folders.size} folders, ${files.length} files, ${imports.length} imports: no circle`);
