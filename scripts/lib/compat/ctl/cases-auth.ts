/** auth, user, role: what they print, and what they then allow. Auth is on meanwhile. */

import { which } from '../../binary.js';
import { split, type CtlCase } from './case.js';
import type { Etcdctl } from './etcdctl.js';
import { byName } from './words.js';

const GRANTS = `
  user list
  role list
  auth disable
  user add root:rootpw
  user add alice:apw
  user add alice:apw
  user add :pw
  user add
  user add nopw --no-password
  user add given --new-user-password=gpw
  role add reader
  role add reader
  role add
  role grant-permission reader read a/ --prefix=true
  role grant-permission reader readwrite b
  role grant-permission reader write c d
  role grant-permission reader read x/ --from-key
  role grant-permission reader nonsense b
  role grant-permission none read b
  role grant-permission reader read
  role get reader
  role get reader -w json
  role get reader -w fields
  role get none
  role revoke-permission reader b
  role revoke-permission reader b
  role revoke-permission reader x/ --from-key
  role revoke-permission reader a/ --prefix
  role grant-permission reader read a/ --prefix=true
  role get reader
  user grant-role alice reader
  user grant-role alice reader
  user grant-role alice none
  user grant-role none reader
  user get alice
  user get alice --detail
  user get alice -w json
  user get none
  user list
  user list -w json
  user list -w fields
  role list
  role list -w json
  auth enable
  auth enable`;

/** With auth on. */
const USES = `
  get a/1
  put a/1 x
  --user=alice:apw get a/1
  --user=alice --password=apw get a/1
  --user=alice:wrong get a/1
  --user=none:apw get a/1
  --user=nopw:x get a/1
  --user=alice:apw put a/1 x
  --user=alice:apw put c x
  --user=alice:apw get c
  --user=alice:apw get c d
  --user=alice:apw del c
  --user=alice:apw user list
  --user=alice:apw user get alice
  --user=alice:apw user get root
  --user=alice:apw role get reader
  --user=alice:apw role list
  --user=alice:apw compaction 1
  --user=alice:apw defrag
  --user=alice:apw alarm disarm
  --user=alice:apw endpoint health
  --user=alice:apw snapshot save /dev/null/nothing
  --user=alice:apw lease grant 60
  --user=root:rootpw lease list
  --user=alice:apw auth disable
  --user=root:rootpw user list
  --user=root:rootpw put a/1 x
  --user=alice:apw get --prefix a/
  --user=alice:apw get --prefix b
  --user=alice:apw get --from-key a/
  --user=alice:apw watch b
  --user=root:rootpw user revoke-role alice reader
  --user=root:rootpw user revoke-role alice reader
  --user=alice:apw get a/1
  --user=root:rootpw user delete root
  --user=root:rootpw role delete reader
  --user=root:rootpw role delete root
  --user=root:rootpw user delete alice
  --user=root:rootpw user delete alice`;

const AFTER = `
  --user=root:rootpw auth disable
  user delete root
  user delete nopw
  user delete given
  role delete root
  role delete none
  user list
  get a/1
  --user=root:rootpw get a/1`;

async function all(ctl: Etcdctl, text: string): Promise<void> {
  for (const line of text.trim().split('\n')) await ctl.run(split(line));
}

const auth: CtlCase = {
  name: 'auth, user, role',
  async run(ctl) {
    await all(ctl, GRANTS);
    await all(ctl, USES);
    await ctl.run(['--user=root:rootpw', 'member', 'list'], { tidy: byName });
    await all(ctl, AFTER);
  },
};

const passwords: CtlCase = {
  name: 'passwords that are asked for',
  async run(ctl) {
    await ctl.run(['user', 'add', 'bob'], { input: 'one\none\n' });
    await ctl.run(['user', 'add', 'carl'], { input: 'one\nanother\n' });
    await ctl.run(['user', 'add', 'carl', '--interactive=false'], { input: 'cpw\n' });
    await ctl.run(['user', 'passwd', 'bob'], { input: 'two\ntwo\n' });
    await ctl.run(['user', 'passwd', 'bob'], { input: 'two\nthree\n' });
    await ctl.run(['user', 'passwd', 'bob', '--interactive=false'], { input: 'three\n' });
    await ctl.run(['user', 'passwd', 'none', '--interactive=false'], { input: 'x\n' });
    await ctl.run(['user', 'add', 'root:rootpw']);
    await ctl.run(['auth', 'enable']);
    await ctl.run(['--user=bob', 'get', 'x'], { input: 'three\n' });
    await ctl.run(['--user=bob', 'user', 'get', 'bob'], { input: 'three\n' });
    await ctl.run(['--user=bob', 'user', 'get', 'bob'], { input: 'two\n' });
    await ctl.run(['--user=carl:cpw', 'user', 'get', 'carl']);
    for (const done of [['auth', 'disable'], ['user', 'delete', 'bob'], ['user', 'delete', 'carl'], ['user', 'delete', 'root'], ['role', 'delete', 'root']]) await ctl.quietly('--user=root:rootpw', ...done);
    await ctl.run(['user', 'list']);
  },
};

const status: CtlCase = {
  name: 'auth status',
  since: '3.5',
  async run(ctl) {
    for (const form of ['simple', 'json', 'fields']) await ctl.run(['auth', 'status', '-w', form]);
  },
};

const terminal: CtlCase = {
  name: 'passwords on a terminal',
  async run(ctl) {
    if (which('script') === undefined) return;
    await ctl.onTerminal(['user', 'add', 'dora'], 'one\none\n');
    await ctl.onTerminal(['user', 'passwd', 'dora'], 'two\ntwo\n');
    await ctl.run(['user', 'delete', 'dora']);
  },
};

export const AUTH_CASES: readonly CtlCase[] = [status, terminal, passwords, auth];
