/**
 * Where a password comes from: a flag, a variable of the environment, what is piped in, or somebody
 * at the terminal, in etcdctl's spelling and with its questions. It is in no message.
 */

import type { AuthOptions } from '../../client/client.js';
import { Failed, fromEnv, UsageFault, type GlobalFlags, type Io } from './context.js';

async function asked(io: Io, question: string, instead: string): Promise<string> {
  const secret = await io.secret(question);
  if (secret === undefined) throw new UsageFault(`there is no terminal to ask for the password at: ${instead}`);
  return secret;
}

/** Who runs the command; undefined: nobody says. Throws UsageFault, Failed. */
export async function loginOf(io: Io, flags: GlobalFlags): Promise<AuthOptions | undefined> {
  const user = flags.user ?? fromEnv(io.env, 'user') ?? '';
  const password = flags.password ?? fromEnv(io.env, 'password') ?? '';
  if (user === '') {
    if (password !== '') throw new UsageFault('--password is of the user that --user names, and there is none');
    return undefined;
  }
  if (password !== '') return { name: user, password };
  const at = user.indexOf(':');
  if (at === 0) throw new UsageFault('--user is NAME or NAME:PASSWORD, and the name is not empty');
  if (at > 0) return { name: user.slice(0, at), password: user.slice(at + 1) };
  return { name: user, password: await asked(io, 'Password: ', 'give --user NAME:PASSWORD or --password, or KINTSUGI_USER') };
}

/** Of a user that is made or changed. Throws UsageFault, Failed. */
export async function newPassword(io: Io, user: string, interactive: boolean): Promise<string> {
  if (!interactive) return (await io.stdin()).toString().split(/\r?\n/, 1)[0] as string;
  const instead = '--interactive=false reads it from standard input';
  const password = await asked(io, `Password of ${user}: `, instead);
  const again = await asked(io, `Type password of ${user} again for confirmation: `, instead);
  if (password !== again) throw new Failed('given passwords are different');
  return password;
}
