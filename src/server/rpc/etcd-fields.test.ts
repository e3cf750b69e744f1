import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { CLIENT_PROTOS, protoPath } from '../../api/protos/protos.js';
import { apiLines } from './testing/api-lines.js';
import { linksIn, ROOT, rowsOf } from './testing/compatibility-page.js';
import { fieldPage, fieldRows } from './testing/field-table.js';

const PAGE = `${ROOT}docs/etcd-fields.md`;
const RECORDED = 'scripts/lib/compat/';
const OURS = /^(etcdserverpb|v3lockpb|v3electionpb)\//;

/**
 * etcd's API, as its own `.proto` files have it, against ours, and the page that is generated of
 * both: `KINTSUGI_REWRITE=1 npx mocha src/server/rpc/etcd-fields.test.ts` writes it.
 */
describe("etcd's API", () => {
  const [head = '', ...theirs] = readFileSync(new URL('testdata/etcd-api.txt', import.meta.url), 'utf8').trimEnd().split('\n');
  const files = CLIENT_PROTOS.filter((file) => OURS.test(file)).map(protoPath);
  const ours = apiLines(files, (name) => (existsSync(name) ? name : protoPath(name)));
  const said = rowsOf('Fields');
  const states = new Map(said.map(({ name, state }) => [name, state]));

  /** What a line is about, as the page calls it. */
  const subjectOf = (line: string): string => /^\w+ (?:\w+\.)?(\S+)/.exec(line)?.[1] ?? line;
  const isAbsent = (line: string): boolean => {
    const subject = subjectOf(line);
    return states.get(subject) === 'absent' || states.get(subject.slice(0, subject.lastIndexOf('.'))) === 'absent';
  };

  it('is in our protos with each method, message, field and value, its number and type, but for what is said to be absent', () => {
    assert.deepEqual(theirs.filter((line) => !ours.includes(line) && !isAbsent(line)), [], 'ours have not');
    assert.deepEqual(ours.filter((line) => !theirs.includes(line)), [], 'etcd has not');
  });

  it('is not said to be different or absent where it is not, or is not there at all', () => {
    for (const { name, state, rest: [how = ''] } of said) {
      assert.ok(['different', 'absent'].includes(state) && how !== '', `${name} is "${state}": "${how}"`);
      const about = theirs.filter((line) => subjectOf(line) === name);
      assert.equal(about.length, 1, `etcd has no ${name}`);
      assert.equal(ours.includes(about[0] as string), state === 'different', `${name} is said to be ${state}`);
    }
    assert.equal(states.size, said.length, 'each is said once');
  });

  it('is on the page with each field, its state and tests that name it', () => {
    const testsOf = new Map(rowsOf('Methods').map(({ name, rest: [, tests = ''] }) => [name.includes('pb.') ? name : `etcdserverpb.${name}`, linksIn(tests)]));
    const recorded = readdirSync(ROOT + RECORDED).filter((file) => file.startsWith('cases-')).map((file) => RECORDED + file);
    const rows = fieldRows({ lines: theirs, states, testsOf, recorded, textOf: (file) => readFileSync(ROOT + file, 'utf8') });
    const untested = rows.filter(({ state, tests }) => state !== 'absent' && tests.length === 0);
    assert.deepEqual(untested.map(({ message, name }) => `${message}.${name}`), [], 'no test of its methods names it');
    const page = fieldPage(rows, /etcd [\d.]+/.exec(head)?.[0] ?? '');
    if (process.env['KINTSUGI_REWRITE'] === '1') writeFileSync(PAGE, page);
    assert.equal(readFileSync(PAGE, 'utf8'), page);
  });
});
