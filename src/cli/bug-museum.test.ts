/**
 * The list of SIMULATOR.md: what shows that a bug of another store is none here must be there. That
 * it is shown is for the canaries, mutants and tests that the list names.
 */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { CANARIES, MUTANTS } from '../../scripts/canaries/list.js';

const CHAPTER = /## The bug museum\n([\s\S]*?)\n## /.exec(readFileSync('SIMULATOR.md', 'utf8'))?.[1] ?? '';
const ROWS = CHAPTER.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| report'));

function named(row: string, what: string): string[] {
  return [...row.matchAll(new RegExp(`${what} \`([^\`]+)\``, 'g'))].map((match) => match[1] as string);
}

function textOf(file: string): string {
  const path = existsSync(file) ? file : `src/${file}`;
  assert.ok(existsSync(path), `there is no ${file}`);
  return readFileSync(path, 'utf8');
}

describe('the bug museum of SIMULATOR.md', () => {
  it('names for each report canaries, mutants, tests and stories that are there', () => {
    assert.ok(ROWS.length >= 35, `${ROWS.length} reports`);
    for (const row of ROWS) {
      const report = row.split('|')[1]?.trim() ?? '';
      const canaries = named(row, 'canary');
      const mutants = named(row, 'mutant');
      const stories = named(row, 'story');
      const tests = [...row.matchAll(/test `([^`]+)` "([^"]+)"/g)].map(([, file, title]) => ({ file: file as string, title: title as string }));
      assert.ok(canaries.length + mutants.length + stories.length + tests.length > 0, `${report}: nothing shows it`);
      for (const name of canaries) assert.ok(CANARIES.some((canary) => canary.name === name), `${report}: no canary ${name}`);
      for (const name of mutants) assert.ok(MUTANTS.some((mutant) => mutant.name === name), `${report}: no mutant ${name}`);
      for (const name of stories) assert.ok(existsSync(`src/raft/testdata/${name}.txt`), `${report}: no story ${name}`);
      for (const { file, title } of tests) {
        const titles = textOf(file).split(/\bit\(/).slice(1);
        assert.ok(titles.some((text) => text.slice(0, 400).replaceAll("\\'", "'").includes(title)), `${report}: ${file} has no "${title}"`);
      }
    }
  });

  it('has every report of the collection that it was made from', function () {
    const shared = process.env['KINTSUGI_SHARED'] ?? '../shared';
    const collection = `${shared}/facts/bug-museum.md`;
    if (!existsSync(collection)) return this.skip();
    const reports = new Set(readFileSync(collection, 'utf8').match(/etcd#\d+|GHSA-[\w-]+|CVE-[\d-]+|#\d{4,}/g));
    assert.ok(reports.size >= 45);
    assert.deepEqual([...reports].filter((report) => !CHAPTER.includes(report)), []);
  });

  it('has each report once', () => {
    const reports = ROWS.map((row) => row.split('|')[1]?.trim() ?? '');
    assert.equal(new Set(reports).size, reports.length);
  });
});
