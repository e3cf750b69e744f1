/** For tests: auth is off. */

import { Access } from '../access.js';
import { AuthState } from '../auth-state.js';
import { SimpleTokens } from '../simple-tokens.js';

export function openAccess(): Access {
  const tokens = new SimpleTokens();
  return new Access({ auth: new AuthState(tokens) }, tokens);
}
