// SPDX-License-Identifier: Apache-2.0
// The frame: navigation, who is signed in, keyboard, and the banner that says when the server is away.
import { Button, Menu, Modal, useMantineColorScheme } from '@mantine/core';
import {
  IconActivity, IconAlertTriangle, IconBolt, IconBook2, IconDeviceDesktop, IconKeyboard, IconLayoutDashboard, IconListSearch,
  IconLogout, IconMoon, IconPlugConnected, IconSettings, IconShieldCheck, IconSun, IconUser, IconUsers, IconKey,
  IconClock, IconHistory,
} from '@tabler/icons-react';
import { onlineManager, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import { Link, NavLink, useLocation, useNavigate } from 'react-router-dom';
import { get, probeNow } from '../api/client';
import { useMay, useSession, useSessionState } from '../api/session';
import { setUtc, short, useUtc } from '../lib/format';
import { typing } from '../lib/hooks';
import { LiveAlerts } from './live';

export function useOnline(): boolean {
  return useSyncExternalStore(
    (l) => onlineManager.subscribe(l),
    () => onlineManager.isOnline(),
  );
}

export function OfflineBanner() {
  const online = useOnline();
  const was = useRef(true);
  const queries = useQueryClient();
  useEffect(() => {
    if (online && !was.current) {
      void queries.invalidateQueries();
    }
    was.current = online;
  }, [online, queries]);
  return (
    <div role="status" className={online ? undefined : 'banner'}>
      {!online && (
        <>
          <span>The server does not answer. What you see may be old; it is asked again by itself.</span>
          <Button variant="default" onClick={probeNow}>
            Ask now
          </Button>
        </>
      )}
    </div>
  );
}

export function Brand() {
  return (
    <Link to="/" className="brand" aria-label="WazabiEDR, overview">
      <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M16 2 4 6.5v9C4 22.600 9 28 16 30c7-2 12-7.400 12-14.500v-9z" fill="#2f7d4f" />
        <path
          d="m9 11 3.500 10L16 12.500 19.500 21 23 11"
          fill="none"
          stroke="#fff"
          strokeWidth="2.400"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
      <span>WazabiEDR</span>
    </Link>
  );
}

function Item({ to, icon, children, count }: { to: string; icon: ReactNode; children: string; count?: number }) {
  return (
    <NavLink to={to} end={to === '/'} className={({ isActive }) => (isActive ? 'item active' : 'item')} title={children}>
      {icon}
      <span className="label">{children}</span>
      {count ? <span className="count">{short(count)}</span> : null}
    </NavLink>
  );
}

const JUMPS: Record<string, [string, string]> = {
  o: ['/', 'Overview'],
  a: ['/alerts', 'Alerts'],
  h: ['/hunt', 'Hunt'],
  e: ['/endpoints', 'Endpoints'],
  c: ['/commands', 'Commands'],
  t: ['/integrity', 'Telemetry'],
  r: ['/rules', 'Rules'],
};

/** "g" and a letter goes somewhere, "/" to the first filter, "j" into the table, "?" shows these. Never while somebody types. */
function useShortcuts(help: () => void): void {
  const navigate = useNavigate();
  const jump = useRef(0);
  const show = useRef(help);
  show.current = help;
  useEffect(() => {
    // Before the keys of the view: the second key of a jump is none of them.
    const onJump = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || typing(e.composedPath()[0] ?? null)) {
        return;
      }
      const to = Date.now() - jump.current < 1500 ? JUMPS[e.key]?.[0] : undefined;
      jump.current = e.key === 'g' ? Date.now() : 0;
      if (to) {
        e.preventDefault();
        e.stopImmediatePropagation();
        navigate(to);
      }
    };
    const onKey = (e: KeyboardEvent) => {
      const target = e.composedPath()[0] as HTMLElement;
      if (e.key === 'Escape' && /^(INPUT|TEXTAREA)$/.test(target.tagName) && target.getAttribute('aria-expanded') !== 'true' &&
        !target.closest('[role=dialog]')) {
        target.blur(); // single keys mean something again
      }
      if (e.ctrlKey || e.metaKey || e.altKey || typing(target)) {
        return;
      }
      if (e.key === '?') {
        show.current();
      } else if (e.key === '/') {
        const filter = document.querySelector<HTMLElement>('[data-filter]');
        if (filter) {
          e.preventDefault();
          filter.focus();
        }
      } else if ((e.key === 'j' || e.key === 'ArrowDown') && !target.closest('[role=table],[role=log],[role=dialog],[role=menu]')) {
        const row = document.querySelector<HTMLElement>('[role=table] .tbody [role=row][tabindex="0"]');
        if (row) {
          e.preventDefault();
          row.focus();
        }
      }
    };
    window.addEventListener('keydown', onJump, true);
    window.addEventListener('keydown', onKey);
    return () => {
      window.removeEventListener('keydown', onJump, true);
      window.removeEventListener('keydown', onKey);
    };
  }, [navigate]);
}

function Help({ opened, close }: { opened: boolean; close: () => void }) {
  const keys: [string, string][] = [
    ...Object.entries(JUMPS).map(([k, [, name]]): [string, string] => [`g ${k}`, `Go to ${name}`]),
    ['/', 'To the first filter'],
    ['j k ↑ ↓', 'Into a table, and up and down in it'],
    ['Enter', 'Open the row'],
    ['x', 'Choose the row; with Shift all between'],
    ['m', 'An alert: assign it to me'],
    ['s', 'An alert: its state'],
    ['c', 'An alert: write a comment'],
    ['n p', 'The next and the previous alert of the list'],
    ['Esc', 'Close what is open, leave a field'],
    ['Ctrl Enter', 'Run the query in the SQL editor'],
    ['?', 'This list'],
  ];
  return (
    <Modal opened={opened} onClose={close} title="Keyboard">
      <dl className="facts">
        {keys.map(([k, what]) => (
          <div key={k} style={{ display: 'contents' }}>
            <dt>
              {k.split(' ').map((one) => (
                <span key={one}>
                  <kbd>{one}</kbd>{' '}
                </span>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}

function UserMenu({ help }: { help: () => void }) {
  const { user } = useSession();
  const { signOut } = useSessionState();
  const navigate = useNavigate();
  const utc = useUtc();
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const dark =
    colorScheme === 'dark' || (colorScheme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  return (
    <Menu position="right-end" withinPortal shadow="md" width={220}>
      <Menu.Target>
        <button type="button" className="plain item" title={`${user.username}, ${user.role}`}>
          <IconUser size={17} />
          <span className="label">{user.display_name || user.username}</span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {user.username}, {user.role}
        </Menu.Label>
        <Menu.Item leftSection={<IconUser size={15} />} onClick={() => navigate('/account')}>
          Account
        </Menu.Item>
        <Menu.Item leftSection={<IconKey size={15} />} onClick={() => navigate('/tokens')}>
          API tokens
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item
          leftSection={dark ? <IconSun size={15} /> : <IconMoon size={15} />}
          onClick={() => setColorScheme(dark ? 'light' : 'dark')}
        >
          {dark ? 'Light colours' : 'Dark colours'}
        </Menu.Item>
        <Menu.Item leftSection={<IconClock size={15} />} onClick={() => setUtc(!utc)}>
          {utc ? 'Times in local time' : 'Times in UTC'}
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={15} />} onClick={help}>
          Keyboard
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={15} />} onClick={() => void signOut()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const admin = useMay('admin');
  const utc = useUtc();
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const seen = useRef(pathname);
  useShortcuts(() => setHelp(true));
  useEffect(() => {
    // A new view begins at its top, for the keyboard and for readers of screens, too.
    if (seen.current !== pathname) {
      seen.current = pathname;
      main.current?.focus({ preventScroll: true });
      main.current?.scrollTo(0, 0);
    }
  }, [pathname]);
  const { data } = useQuery({
    queryKey: ['overview'],
    queryFn: ({ signal }) => get('/overview', { signal }),
    refetchInterval: 30_000,
  });
  const open = Object.values(data?.alerts?.open ?? {}).reduce((sum, n) => sum + (n ?? 0), 0);
  const icon = { size: 17, stroke: 1.7 };
  return (
    <div className="shell">
      <OfflineBanner />
      <aside className="side">
        <a className="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus(); }}>
          Skip to content
        </a>
        <Brand />
        <nav aria-label="Main">
          <Item to="/" icon={<IconLayoutDashboard {...icon} />}>Overview</Item>
          <Item to="/alerts" icon={<IconAlertTriangle {...icon} />} count={open}>Alerts</Item>
          <Item to="/hunt" icon={<IconListSearch {...icon} />}>Hunt</Item>
          <Item to="/endpoints" icon={<IconDeviceDesktop {...icon} />}>Endpoints</Item>
          <Item to="/commands" icon={<IconBolt {...icon} />}>Commands</Item>
          <Item to="/integrity" icon={<IconActivity {...icon} />}>Telemetry</Item>
          <Item to="/rules" icon={<IconBook2 {...icon} />}>Rules</Item>
          {admin && (
            <>
              <div className="head">Administration</div>
              <Item to="/users" icon={<IconUsers {...icon} />}>Users</Item>
              <Item to="/enrolment" icon={<IconPlugConnected {...icon} />}>Enrolment</Item>
              <Item to="/tokens" icon={<IconKey {...icon} />}>API tokens</Item>
              <Item to="/audit" icon={<IconHistory {...icon} />}>Audit</Item>
              <Item to="/settings" icon={<IconSettings {...icon} />}>Settings</Item>
            </>
          )}
        </nav>
        <div className="head label under">
          <button type="button" className="plain" onClick={() => setUtc(!utc)} title={utc ? 'Show local time' : 'Show UTC'}>
            <IconClock size={12} aria-hidden="true" /> Times in {utc ? 'UTC' : 'local time'}
          </button>
          {data?.version && (
            <span>
              <IconShieldCheck size={12} aria-hidden="true" /> Server {data.version}
            </span>
          )}
        </div>
        <UserMenu help={() => setHelp(true)} />
      </aside>
      <main id="main" className="main" ref={main} tabIndex={-1}>
        <LiveAlerts>{children}</LiveAlerts>
      </main>
      <Help opened={help} close={() => setHelp(false)} />
    </div>
  );
}
