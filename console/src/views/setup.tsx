// SPDX-License-Identifier: Apache-2.0
// What the server asks of a person before anything else.
import { useSessionState } from '../api/session';
import { useTitle } from '../lib/hooks';
import { PasswordForm, TotpForm } from '../ui/credentials';
import { Brand, OfflineBanner } from '../ui/shell';

export default function Setup() {
  const { session, reload, signOut } = useSessionState();
  const password = session?.must_change_password === true;
  useTitle('Set up');
  return (
    <>
      <OfflineBanner />
      <main className="gate">
        <div className="card broad">
          <Brand />
          <h1>{password ? 'Choose a password of your own' : 'Set up two-factor sign-in'}</h1>
          <div className="stack">
            <p className="dim" style={{ margin: 0 }}>
              {password
                ? 'The one you came in with was made for a single use.'
                : 'This server asks for it before anything can be seen.'}
            </p>
            {password ? <PasswordForm done={() => void reload()} /> : <TotpForm done={() => void reload()} />}
            <button type="button" className="plain link" style={{ alignSelf: 'flex-start' }} onClick={() => void signOut()}>
              Sign out
            </button>
          </div>
        </div>
      </main>
    </>
  );
}
