/** Keys: put, get, del, compaction, txn, in every form of output. */

import { lines, type CtlCase } from './case.js';

const kv = lines('put, get, del, compaction', `
  put k/a 1
  put k/b 2 --prev-kv
  put k/b 3 --prev-kv
  put k/c -- -dash
  put k/b --ignore-value
  put k/none --ignore-value
  put k/b 4 --ignore-lease
  put k/none 4 --ignore-lease
  put k/b 4 --lease=77
  put k/b 4 --lease=nonsense
  get k/a
  get k/a k/c
  get k/c k/a
  get --prefix k/
  get --prefix k/ --order=DESCEND --sort-by=VALUE
  get --prefix k/ --sort-by=MODIFY --limit=2
  get --prefix k/ --sort-by=CREATE --order=ASCEND
  get --prefix k/ --sort-by=VERSION --order=DESCEND
  get --prefix k/ --sort-by=KEY --order=DESCEND --limit=1
  get --prefix k/ --sort-by=NONSENSE
  get --prefix k/ --order=NONSENSE
  get --prefix k/ --keys-only
  get --prefix k/ --keys-only -w json
  get --prefix k/ --print-value-only
  get --from-key k/b
  get --from-key k/b --prefix
  get --prefix k/ --limit=2 -w json
  get --prefix k/ --limit=2 -w fields
  get k/a --consistency=s
  get k/a --consistency=nonsense
  get k/a -w json
  get k/a -w fields
  get k/a -w table
  get k/a -w simple
  get k/a -w nonsense
  get k/a --hex
  get k/a --hex -w json
  get k/none
  get k/none -w json
  get k/a --rev=3
  get k/a --rev=999999
  get k/a --rev=-1
  del k/a --prev-kv
  del k/a
  del k/b k/c --prev-kv -w json
  put k/d 1 -w json
  put k/d 2 --prev-kv -w json
  put k/d 3 --prev-kv -w fields
  del k/d --prev-kv -w fields
  put k/e 1
  put k/f 1
  del --from-key k/f
  del --prefix k/ --prev-kv
  get --prefix k/
  get --prefix k/ --rev=5
  compaction 3
  compaction 3
  compaction 4 --physical
  compaction 999999
  compaction nonsense
  compaction
  compaction 5 -w json
  get k/b --rev=2
  put
  put k
  put a b c
  get
  get a b c
  del
  del a b c`);

const oddKeys: CtlCase = {
  name: 'odd keys and values',
  async run(ctl) {
    await ctl.run(['put', '', 'x']);
    await ctl.run(['get', '']);
    await ctl.run(['put', 'o/stdin'], { input: 'from standard input\n' });
    await ctl.run(['get', 'o/stdin', '-w', 'json']);
    await ctl.run(['put', 'o/empty', '']);
    await ctl.run(['get', 'o/empty', '-w', 'json']);
    await ctl.run(['put', 'o/\u{1f375} tea', 'gr\u00fcn\n\ttwo lines']);
    await ctl.run(['get', '--prefix', 'o/']);
    await ctl.run(['get', '--prefix', 'o/', '--hex']);
    await ctl.run(['put', 'o/large'], { input: 'x'.repeat(1_500_000) });
    await ctl.run(['get', 'o/large', '-w', 'fields'], { only: /"More"/ });
    await ctl.run(['put', 'o/too-large'], { input: 'x'.repeat(1_600_000) });
    await ctl.run(['put', 'o/far-too-large'], { input: 'x'.repeat(3_000_000) });
    await ctl.run(['get', '', '--prefix', '--keys-only']);
    await ctl.run(['get', '', '--from-key', '--keys-only', '--limit=1']);
    await ctl.run(['del', '', '--from-key']);
  },
};

const protobuf: CtlCase = {
  name: '-w protobuf',
  async run(ctl) {
    for (const [args, answerOf] of [
      [['put', 'p/a', '1', '--prev-kv'], 'KV/Put'], [['get', '--prefix', 'p/'], 'KV/Range'], [['del', 'p/a', '--prev-kv'], 'KV/DeleteRange'],
      [['compaction', '999999'], 'KV/Compact'], [['lease', 'grant', '50'], 'Lease/LeaseGrant'], [['member', 'list'], 'Cluster/MemberList'],
      [['alarm', 'list'], 'Maintenance/Alarm'], [['role', 'list'], 'Auth/RoleList'], [['endpoint', 'status'], 'Maintenance/Status'],
      [['endpoint', 'hashkv'], 'Maintenance/HashKV'], [['endpoint', 'health'], 'Maintenance/Status'],
    ] as const) await ctl.run([...args, '-w', 'protobuf'], { answerOf });
    await ctl.run(['txn', '-w', 'protobuf'], { answerOf: 'KV/Txn', input: '\nput p/b 1\nget p/b\n\n\n' });
  },
};

const TXNS = [
  'value("t") = "1"\n\nput t 2\nget t\n\nget t\n\n',
  'value("t") = "1"\n\nput t 3\n\nget t\ndel t\n\n',
  'mod("t") > "0"\nversion("none") = "0"\n\nput a_b x\nget t\n\n\n',
  'create("t") != "0"\nlease("t") = "0"\n\ndel t --prev-kv\n\n\n',
  '\nput "t two" "a value \\"quoted\\""\nput --lease=0 t/3 x\nget --prefix t\n\n\n',
  '\nget --prefix t --sort-by=KEY --order=DESCEND --limit=1\nget t --rev=1\ndel --prefix t\n\n\n',
  '\nput twice 1\nput twice 2\n\n\n',
  '\nput t --ignore-value\n\n\n',
  '\nput t x --lease=123456\n\n\n',
  `\n${Array.from({ length: 129 }, (_, i) => `put many/${i} x`).join('\n')}\n\n\n`,
  'value("t") = 1\n\n\n\n',
  'value("t") ~ "1"\n\n\n\n',
  'mod("t") = "x"\n\n\n\n',
  'nonsense\n\n\n\n',
  '\nnonsense\n\n\n',
  '\nput\n\n\n',
];

const txn: CtlCase = {
  name: 'txn, given and interactive',
  async run(ctl) {
    await ctl.run(['put', 't', '1']);
    for (const input of TXNS) {
      await ctl.run(['txn'], { input });
      await ctl.run(['txn', '--interactive'], { input });
    }
    for (const form of ['json', 'fields', 'table', 'simple']) {
      await ctl.run(['txn', '-w', form], { input: 'version("t") = "0"\n\nput t 1\nget t\ndel t\n\n\n' });
      await ctl.run(['txn', '-w', form, '--hex'], { input: 'version("t") > "0"\n\n\nput t 1\nget t\n\n' });
    }
    await ctl.run(['txn', 'more']);
  },
};

const bounds = lines('get by revision, count only, deletion of a range', `
  put b/1 one
  put b/2 two
  put b/3 three
  put b/1 uno
  get --prefix b/ --count-only -w fields
  get --prefix b/ --count-only -w json
  get --prefix b/ --count-only
  get b/1 --count-only --limit=1
  get --prefix b/ --min-mod-rev=4 -w json
  get --prefix b/ --max-mod-rev=4 -w json
  get --prefix b/ --min-create-rev=999 -w json
  get --prefix b/ --max-create-rev=999 --keys-only
  get --prefix b/ --max-create-rev=-1
  del --range b/1 b/3
  del b/1 b/3
  del --range b/1 b/4 --prev-kv`, '3.6');

const stream = lines('get --stream', `
  put s/1 one
  put s/2 two
  put s/3 three
  put s/1 uno
  get --stream s/1
  get --stream s/none
  get --stream --prefix s/
  get --stream --prefix s/ -w json
  get --stream --prefix s/ -w fields
  get --stream --prefix s/ --keys-only
  get --stream --prefix s/ --count-only -w json
  get --stream --prefix s/ --limit=2 -w json
  get --stream --prefix s/ --print-value-only
  get --stream --from-key s/2
  get --stream --prefix s/ --rev=999999
  get --stream --prefix s/ --rev=1
  get --stream --prefix s/ --order=DESCEND
  get --stream --prefix s/ --sort-by=MODIFY --order=ASCEND
  get --stream --prefix s/ --sort-by=KEY --order=ASCEND
  get --stream --prefix s/ --sort-by=VALUE
  get --stream --prefix s/ --min-mod-rev=3
  get --stream --prefix s/ --max-create-rev=3
  get --stream --prefix s/ --consistency=s
  get --stream`, '3.7');

export const KV_CASES: readonly CtlCase[] = [kv, oddKeys, protobuf, txn, bounds, stream];
