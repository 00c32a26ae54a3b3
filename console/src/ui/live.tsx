// SPDX-License-Identifier: Apache-2.0
// Alerts as they are made or changed, in every view: one stream for the page. A page that nobody sees has none, since a browser
// opens six connections to a server at most and people leave many pages open; coming back, it reads again what it missed. So
// does one whose stream begins late, and as long as it has none it asks now and then.
import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useRef, type ReactNode } from 'react';
import { addressOf } from '../api/client';
import { useAtMost, useStream, useVisible, type StreamStatus } from '../lib/hooks';

const AGAIN_MS = 2000;
const WITHOUT_MS = 15_000;
const Live = createContext<StreamStatus>('off');

export function LiveAlerts({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const visible = useVisible();
  const hidden = useRef(false);
  const readAgain = useAtMost(AGAIN_MS, () => {
    void client.invalidateQueries({ queryKey: ['alerts'] });
    void client.invalidateQueries({ queryKey: ['overview'] });
  });
  const status = useStream(visible ? addressOf('/alerts/stream') : null, ['created', 'changed', 'lost'], readAgain);
  useEffect(() => {
    if (visible && hidden.current) {
      readAgain();
    }
    hidden.current = !visible;
  }, [visible, readAgain]);
  const without = visible && status !== 'live';
  useEffect(() => {
    const t = without ? setInterval(readAgain, WITHOUT_MS) : undefined;
    return () => clearInterval(t);
  }, [without, readAgain]);
  return <Live.Provider value={status}>{children}</Live.Provider>;
}

export const useLive = (): StreamStatus => useContext(Live);
