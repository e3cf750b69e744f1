/**
 * The canaries of scripts/canaries: whether the simulator finds them takes an hour; that they still
 * are what they were takes seconds.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';
import { edited, filesOf, type Canary, type Planted } from '../../scripts/canaries/canary.js';
import { typeErrors } from '../../scripts/canaries/check-types.js';
import { CANARIES, MUTANTS } from '../../scripts/canaries/list.js';
import { sourceOf } from '../../scripts/canaries/mutant.js';

const ALL: readonly Planted[] = [...CANARIES, ...MUTANTS];

function canaryWith(edits: Canary['edits']): Canary {
  return { name: 'bird', what: 'sings', breaks: 'S1', profile: 'table', edits };
}

describe('canaries', function () {
  it('have names of their own, break an invariant that is defined, and are many', () => {
    const invariants = readFileSync('INVARIANTS.md', 'utf8');
    assert.equal(new Set(ALL.map(({ name }) => name)).size, ALL.length);
    for (const { name, breaks, edits, what } of ALL) {
      assert.match(name, /^[a-z]+(-[a-z]+)+$/);
      assert.ok(invariants.includes(`| **${breaks}** |`), `${name} breaks ${breaks}`);
      assert.ok(edits.length > 0 && what.endsWith('.'), name);
    }
    assert.ok(CANARIES.length >= 50 && MUTANTS.length >= 20, `${CANARIES.length} canaries, ${MUTANTS.length} mutants`);
  });

  it('that are mutants name a test that is there, once', () => {
    for (const { name, killedBy } of MUTANTS) {
      const titles = readFileSync(`src/${killedBy.file}`, 'utf8').split(/\bit\(/).slice(1).map((text) => text.slice(0, 300));
      assert.equal(titles.filter((text) => text.includes(killedBy.title)).length, 1, `${name}: ${killedBy.file} has "${killedBy.title}"`);
    }
  });

  it('apply exactly once to the present sources and change what they compile to', () => {
    // Without comments, types and blanks.
    const compiled = (source: string): string => transformSync(source, { loader: 'ts', target: 'node20', minifyWhitespace: true }).code;
    const present = new Map<string, string>();
    for (const canary of ALL) {
      for (const file of filesOf(canary)) {
        const source = sourceOf(file);
        const unchanged = present.get(file) ?? compiled(source);
        present.set(file, unchanged);
        const mutated = compiled(edited(canary, file, source));
        assert.notEqual(mutated, unchanged, `${canary.name}: src/${file}`);
      }
    }
  });

  it('type-check', function () {
    this.timeout(120_000);
    assert.deepEqual(typeErrors(ALL), []);
  });

  it('a change that no longer fits, fits twice or overlaps another is an error that names its canary', () => {
    const rejected = (edits: Canary['edits'], why: RegExp): void => {
      assert.throws(() => edited(canaryWith(edits), 'x.ts', 'one two two'), (error: Error) => error.message.includes('bird') && why.test(error.message));
    };
    rejected([{ file: 'x.ts', find: 'three', replace: '' }], /no longer has/);
    rejected([{ file: 'x.ts', find: 'two', replace: '' }], /more than once/);
    rejected([{ file: 'x.ts', find: 'one two', replace: '' }, { file: 'x.ts', find: 'e t', replace: '' }], /overlap/);
  });

  it('several changes of one file are all made, each at its place in the original', () => {
    const canary = canaryWith([{ file: 'x.ts', find: 'three', replace: 'one' }, { file: 'x.ts', find: 'one', replace: 'three' }, { file: 'y.ts', find: 'q', replace: '' }]);
    assert.equal(edited(canary, 'x.ts', 'one two three'), 'three two one');
    assert.deepEqual(filesOf(canary), ['x.ts', 'y.ts']);
  });

  it('a type error in an edit is told with the name of its canary', function () {
    this.timeout(60_000);
    const canary = canaryWith([{ file: 'base/ids.ts', find: 'export type NodeId', replace: 'export const wrong: number = "text";\nexport type NodeId' }]);
    assert.match(typeErrors([canary]).join(), /canary bird: .*not assignable/);
  });
});
