#!/usr/bin/env node
// Ties INVARIANTS.md to the code: every id there has a test whose title cites it, and every id that a test title or
// an assertion cites is defined there. Exits 1 and names what is missing.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ID = /\b(?:R[1-9]|S[1-9]|H[1-9]|D[1-9])\b/g;
const defined = new Map();
for (const match of readFileSync('INVARIANTS.md', 'utf8').matchAll(/^\| \*\*([RSHD]\d)\*\* \|/gm)) defined.set(match[1], []);

function* sources(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

const unknown = [];
for (const root of ['src', 'cluster-tests']) {
  for (const path of sources(root)) {
    const text = readFileSync(path, 'utf8');
    const isTest = path.endsWith('.test.ts') || path.includes('/testing/');
    const cited = isTest
      ? [...text.matchAll(/\b(?:it|describe|test)\(\s*(['"`])([\s\S]*?)\1/g)].map((m) => m[2])
      : [...text.matchAll(/\bassert\([^;]*?(['"`])([^'"`]*)\1\s*,?\s*\)/g)].map((m) => m[2]);
    for (const sentence of cited) {
      for (const [id] of sentence.matchAll(ID)) {
        if (!defined.has(id)) unknown.push(`${path}: ${id} is not in INVARIANTS.md: ${sentence.slice(0, 80)}`);
        else if (isTest) defined.get(id).push(path);
      }
    }
  }
}

const untested = [...defined].filter(([, tests]) => tests.length === 0).map(([id]) => `${id} has no test whose title cites it`);
for (const line of [...untested, ...unknown]) console.error(line);
if (defined.size === 0) console.error('INVARIANTS.md defines no invariant');
if (untested.length > 0 || unknown.length > 0 || defined.size === 0) process.exit(1);
const files = new Set([...defined.values()].flat());
console.log(`${defined.size} invariants, each cited by a test (${files.size} test files)`);
