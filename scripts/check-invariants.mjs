#!/usr/bin/env node
/**
 * `npm run invariants` ties INVARIANTS.md to the code:
 *   1. every id has a test whose title cites it;
 *   2. every id that a test title, an assertion or a check of the simulator cites is defined;
 *   3. every path under "enforced in" exists, and cites the id where it enforces it: in the message
 *      of an assertion (assert, must, unreachable), of a typed error or of a check of the
 *      simulator, or in a comment right above the statement that makes the error. Paths are below
 *      src/, those of scripts/ and cluster-tests/ as they are; of a folder (`replica/log/`) one
 *      file is enough.
 * Exits 1 and names what is missing.
 */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const LETTERS = 'RSHDC';
const ID = new RegExp(`\\b[${LETTERS}][1-9]\\d?\\b`, 'g');
const ROW = new RegExp(`^\\| \\*\\*([${LETTERS}]\\d+)\\*\\* \\|.*\\| (.*) \\|$`, 'gm');
const ASSERTIONS = new Set(['assert', 'must', 'unreachable', 'broken']);
const isTest = (path) => path.endsWith('.test.ts') || path.includes('/testing/');

/** By id: the paths under "enforced in", and the test files whose titles cite it. */
const defined = new Map();
for (const [, id, cell] of readFileSync('INVARIANTS.md', 'utf8').matchAll(ROW)) {
  const paths = [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name).filter((name) => name.includes('/') || name.endsWith('.ts'));
  defined.set(id, { paths, tests: [] });
}

function* sources(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

/** The name that is called: `assert(...)`, or the last part of `this.#reporter.broken(...)`. */
function calledName(call) {
  const { expression } = call;
  if (ts.isIdentifier(expression)) return expression.text;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : '';
}

/** Texts of all string literals and templates below a node. */
function wordsOf(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) return node.text;
  let words = '';
  ts.forEachChild(node, (child) => {
    words += ` ${wordsOf(child)}`;
  });
  return words;
}

/** Comments right above the statement that a node belongs to, and above the `if` that guards it. */
function commentsAbove(node, source) {
  let words = '';
  let at = node;
  while (at !== undefined && !ts.isSourceFile(at)) {
    const isGuard = ts.isIfStatement(at) || ts.isCaseOrDefaultClause(at);
    if (ts.isStatement(at) || isGuard) words += ` ${source.text.slice(at.getFullStart(), at.getStart(source))}`;
    if (isGuard || ts.isFunctionLike(at)) break;
    at = at.parent;
  }
  return words;
}

/**
 * What a file claims: titles of tests, messages of assertions and checks, and typed errors with
 * what stands above them.
 */
function claims(path) {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = { titles: [], assertions: [], errors: [] };
  const visit = (node) => {
    if (ts.isCallExpression(node)) {
      const name = calledName(node);
      if (isTest(path) && ['it', 'describe', 'test'].includes(name) && node.arguments[0] !== undefined) found.titles.push(wordsOf(node.arguments[0]));
      else if (!isTest(path) && ASSERTIONS.has(name)) found.assertions.push(node.arguments.map(wordsOf).join(' '));
    } else if (!isTest(path) && ts.isNewExpression(node) && /Error$/.test(node.expression.getText(source))) {
      found.errors.push(`${wordsOf(node)} ${commentsAbove(node, source)}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const idsIn = (texts) => texts.flatMap((text) => [...text.matchAll(ID)].map(([id]) => ({ id, text })));

const unknown = [];
/** By file: the ids that it enforces. */
const enforced = new Map();
for (const root of ['src', 'cluster-tests', 'scripts']) {
  for (const path of sources(root)) {
    const { titles, assertions, errors } = claims(path);
    for (const { id, text } of idsIn([...titles, ...assertions])) {
      if (!defined.has(id)) unknown.push(`${path}: ${id} is not in INVARIANTS.md: ${text.trim().slice(0, 80)}`);
    }
    for (const { id } of idsIn(titles)) defined.get(id)?.tests.push(path);
    enforced.set(path, new Set(idsIn([...assertions, ...errors]).map(({ id }) => id)));
  }
}

/** Why `path` does not enforce `id`; undefined if it does. */
function gapOf(id, name) {
  const path = /^(scripts|cluster-tests)\//.test(name) ? name : `src/${name}`;
  if (!existsSync(path)) return `${id}: ${path} does not exist`;
  const isFolder = statSync(path).isDirectory();
  if (isFolder !== name.endsWith('/')) return `${id}: ${path} ${isFolder ? 'is a folder: end it with a slash' : 'is a file'}`;
  // The drills are tests themselves: their words are enough.
  const cites = (file) => (path.startsWith('src/') ? enforced.get(file)?.has(id) : [...readFileSync(file, 'utf8').matchAll(ID)].some(([found]) => found === id));
  const found = isFolder ? [...sources(path)].some(cites) : cites(path);
  return found ? undefined : `${id}: nothing in ${path} asserts, refuses or checks it by its id`;
}

const gaps = [];
for (const [id, { paths }] of defined) {
  if (paths.length === 0) gaps.push(`${id}: no path is named under "enforced in"`);
  for (const path of paths) gaps.push(...[gapOf(id, path)].filter((gap) => gap !== undefined));
}

const untested = [...defined].filter(([, { tests }]) => tests.length === 0).map(([id]) => `${id} has no test whose title cites it`);
for (const line of [...untested, ...unknown, ...gaps]) console.error(line);
if (defined.size === 0) console.error('INVARIANTS.md defines no invariant');
if (untested.length + unknown.length + gaps.length > 0 || defined.size === 0) process.exit(1);
const files = new Set([...defined.values()].flatMap(({ tests }) => tests));
console.log(`${defined.size} invariants, each cited by a test (${files.size} test files) and enforced where INVARIANTS.md says`);
