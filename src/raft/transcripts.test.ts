/**
 * The stories in testdata/, told by real nodes. KINTSUGI_REWRITE=1 writes what the nodes put out
 * into the files: read the difference before you keep it.
 */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runTranscript } from './testing/transcript.js';

const REWRITE = process.env['KINTSUGI_REWRITE'] === '1';
const folder = fileURLToPath(new URL('./testdata/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.txt')).sort();

describe('raft transcripts', () => {
  it('there are stories to tell', () => assert.ok(files.length >= 9, files.join()));

  for (const name of files) {
    it(name, () => {
      const text = readFileSync(folder + name, 'utf8');
      const { difference, rewritten } = runTranscript(text);
      if (REWRITE) writeFileSync(folder + name, rewritten);
      else if (difference !== undefined) assert.fail(`src/raft/testdata/${name}, ${difference}`);
    });
  }
});

/** Line 12 is not what happens. */
const STORY = `# A story.
group 1 2
elect 1
----
voters 1 2
1 leads term 1

# Somebody writes.
propose 1 x
settle
----
nothing yet

# The end.
`;

describe('raft transcript files', () => {
  it('a changed expectation fails, and the difference says where', () => {
    const { difference, rewritten, title } = runTranscript(STORY);
    assert.equal(title, 'A story.');
    assert.match(String(difference), /^line 12, after "settle":\n {2}- nothing yet\n {2}\+ 1 writes 2@1 "x"\n/);
    assert.equal(runTranscript(rewritten).difference, undefined);
    const lines = rewritten.split('\n');
    for (const [at, line] of lines.entries()) {
      if (!line.includes('->')) continue;
      for (const changed of [[`${line}!`], [], [line, line]]) {
        const other = runTranscript(lines.toSpliced(at, 1, ...changed).join('\n'));
        assert.ok(other.difference !== undefined, `line ${at + 1} became ${JSON.stringify(changed)}`);
        assert.equal(other.rewritten, rewritten);
      }
    }
  });

  it('rewriting keeps all but the outputs, and is the same every time', () => {
    const { rewritten } = runTranscript(STORY);
    assert.equal(runTranscript(rewritten).rewritten, rewritten);
    const prose = (text: string) => text.split('\n').filter((line) => line.startsWith('#') || line === '----');
    assert.deepEqual(prose(rewritten), prose(STORY));
    assert.ok(rewritten.endsWith('\n\n# The end.\n'));
  });

  it('a command that does not exist, or has wrong arguments, is an error with its line', () => {
    const wrong: [command: string, message: RegExp][] = [
      ['dance 1', /dance: there is no such command/],
      ['tick', /tick: a node is missing/],
      ['tick one', /tick: a node is a number, not "one"/],
      ['tick 9', /tick: there is no node 9/],
      ['tick 1 often', /how often is a number/],
      ['tick 1 2 3', /"3" is one word too many/],
      ['tick 1 fast=yes', /there is no option fast/],
      ['deliver to=1 from', /"from" comes after an option/],
      ['deliver to=1 to=2', /to is given twice/],
      ['deliver type=MsgApp', /no such message is on its way/],
      ['lose from=2', /no such message is on its way/],
      ['ready 1', /node 1 has nothing to do/],
      ['settle loudly', /"loudly" is no way to settle/],
      ['propose 1', /nothing is proposed/],
      ['change 1', /either something changes, or `leave`/],
      ['change 1 leave add=3', /either something changes, or `leave`/],
      ['change 1 grow=3', /there is no option grow/],
      ['change 1 add=3 transition=slow', /transition is one of auto, implicit, explicit/],
      ['compact 1 7', /node 1 has not applied 7/],
      ['report 1 2 weather', /"weather" is nothing to report/],
      ['group 1 2', /there is a group already/],
      ['given 3 terms=1', /comes before the group/],
      ['join 2 voters=1', /there is a node 2 already/],
      ['elect 3', /there is no node 3/],
    ];
    for (const [command, message] of wrong) {
      const text = `# Wrong.\ngroup 1 2\nelect 1\n${command}\n----\n`;
      assert.throws(() => runTranscript(text), (error: Error) => {
        assert.equal(error.name, 'TranscriptError', command);
        assert.match(error.message, /^line 4: /, command);
        assert.match(error.message, message);
        return true;
      });
    }
    const down = '# Wrong.\ngroup 1 2\ncrash 1\ntick 1\n----\n';
    assert.throws(() => runTranscript(down), { line: 4, message: /node 1 is down/ });
    assert.throws(() => runTranscript('# Wrong.\ntick 1\n----\n'), { line: 2, message: /there is no group yet/ });
  });

  it('text that is no transcript is an error with its line', () => {
    const wrong: [text: string, line: number, message: RegExp][] = [
      ['group 1\n----\n', 1, /begins with what it tells/],
      ['# Title.\n\n----\n', 3, /output without a command/],
      ['# Title.\ngroup 1\n\ntick 1\n----\n', 3, /followed by ----/],
      ['# Title.\n\ngroup 1\n', 3, /followed by ----/],
    ];
    for (const [text, line, message] of wrong) assert.throws(() => runTranscript(text), { line, message }, text);
  });

  it('an assertion of the core that fails ends a transcript with the line of the command', () => {
    const lostTail = '# Wrong.\ngiven 1 terms=1,1 commit=2\ngiven 2 terms=1,1 commit=3\ngroup 1 2\n----\n';
    assert.throws(() => runTranscript(lostTail), { line: 4, message: /R3 stored commit 3/ });
  });
});
