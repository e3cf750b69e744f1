import assert from 'node:assert/strict';
import { DISK_FAULTS, MEMBER_FAULTS, NETWORK_FAULTS, OPS_FAULTS, PROCESS_FAULTS, STRUCTURES } from '../../sim/model/fault.js';
import { PATHS } from '../../sim/model/paths.js';
import { coverageReport, coverageText, REQUIRED } from './coverage-report.js';

function full(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const fault of DISK_FAULTS) for (const structure of STRUCTURES) counts.set(`fault ${fault} ${structure}`, 7);
  for (const fault of [...NETWORK_FAULTS, ...PROCESS_FAULTS, ...MEMBER_FAULTS]) counts.set(`fault ${fault}`, 3);
  for (const branch of REQUIRED) counts.set(branch, 1);
  return counts;
}

describe('the coverage report', () => {
  it('a whole matrix has no empty cell', () => {
    const report = coverageReport(full(), []);
    assert.deepEqual([report.empty, report.contradicted], [[], []]);
  });

  it('a cell, a network fault, a process fault and a change of the members that never struck are named', () => {
    const counts = full();
    counts.delete('fault bit-flip log-record');
    counts.set('fault bridge', 0);
    counts.delete('fault wipe');
    counts.delete('fault replace-dead');
    assert.deepEqual([...coverageReport(counts, []).empty].sort(), ['bit-flip x log-record', 'bridge', 'replace-dead', 'wipe']);
  });

  it('a path through the store that no run went is named', () => {
    const counts = full();
    counts.delete(PATHS.largerSegment);
    assert.deepEqual(coverageReport(counts, []).empty, [PATHS.largerSegment]);
  });

  it('a way of the log, or of a member that comes back, that no run went is named', () => {
    const counts = full();
    for (const name of ['log judgement doubted', 'log recovery cut', 'readmission by an operator LOG_MISSING']) counts.delete(name);
    assert.deepEqual(coverageReport(counts, []).empty, ['log judgement doubted', 'log recovery cut', 'readmission by an operator LOG_MISSING']);
    counts.set('log judgement gap skipped', 0);
    assert.equal(coverageReport(counts, []).empty.length, 3, 'what seldom is need not be met');
  });

  it('what hosts and operators do is required where they do it', () => {
    assert.deepEqual(coverageReport(full(), [], true).empty, [...OPS_FAULTS]);
    const counts = full();
    for (const fault of OPS_FAULTS) counts.set(`fault ${fault}`, 1);
    assert.deepEqual(coverageReport(counts, [], true).empty, []);
  });

  it('an impossible cell may be empty, and may not be hit', () => {
    const counts = full();
    counts.delete('fault torn-append table-file');
    const cell = { fault: 'torn-append', structure: 'table-file', why: 'a file is not appended to', seldom: false } as const;
    assert.deepEqual(coverageReport(counts, [cell]).empty, []);
    assert.deepEqual(coverageReport(full(), [cell]).contradicted, ['torn-append x table-file']);
  });

  it('a cell that seldom is may be empty, and may be hit', () => {
    const counts = full();
    const cell = { fault: 'unsynced-name-lost', structure: 'directory', why: 'it is made at the start', seldom: true } as const;
    assert.deepEqual(coverageReport(counts, [cell]).contradicted, []);
    counts.delete('fault unsynced-name-lost directory');
    assert.deepEqual(coverageReport(counts, [cell]).empty, []);
  });

  it('is told in 160 columns: impossible cells as -, holes as !!, branches by their first word', () => {
    const counts = full();
    counts.delete('fault junk directory');
    counts.delete('fault stale directory');
    counts.set('fault bit-flip table-data', 123_456);
    counts.set('event heal-applied', 12);
    counts.set('open LogError ENTRY_FAULTY', 2);
    const impossible = [{ fault: 'junk', structure: 'directory', why: 'it has no bytes', seldom: false }] as const;
    const text = coverageText(coverageReport(counts, impossible), impossible);
    for (const line of text.split('\n').slice(0, 30)) assert.ok(line.length <= 160, `${line.length}: ${line}`);
    assert.match(text, /^junk .* -$/m);
    assert.match(text, /^stale .* !!$/m);
    assert.match(text, /Branches: event\n\n.*\n {2}heal-applied +12\n/);
    assert.match(text, /Branches: open\n\n.*\n {2}LogError ENTRY_FAULTY +2\n/);
    assert.match(text, /1 empty: stale x directory\n/);
    assert.match(text, /Events that no run saw: .*block-repaired/);
  });
});
