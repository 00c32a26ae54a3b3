// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  DEFAULT_THEME,
  convertCssVariables,
  defaultCssVariablesResolver,
  mergeMantineTheme,
} from '@mantine/core';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { theme } from './src/theme';

/** The theme's variables as a style sheet: the server's policy allows no <style> made at run time. */
function themeVariables(): Plugin {
  const id = 'virtual:theme.css';
  return {
    name: 'theme-variables',
    resolveId: (source) => (source === id ? id : null),
    load: (source) =>
      source === id
        ? convertCssVariables(
            defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme)),
            ':root',
          )
        : null,
  };
}

/** A .gz beside each file that gets smaller by it; the server sends it as it is. */
function gzipBeside(): Plugin {
  let folder = '';
  const visit = (dir: string): void => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      if (statSync(path).isDirectory()) {
        visit(path);
      } else if (!name.endsWith('.gz')) {
        const bytes = readFileSync(path);
        const packed = gzipSync(bytes, { level: 9 });
        if (packed.length + 64 < bytes.length) {
          writeFileSync(`${path}.gz`, packed);
        }
      }
    }
  };
  return {
    name: 'gzip-beside',
    configResolved: (config) => {
      folder = config.build.outDir;
    },
    closeBundle: () => visit(folder),
  };
}

/** What changes together and is needed together. Mantine's core must not end up inside the chunk of its charts. */
const CHUNKS: [string, RegExp][] = [
  ['react', /node_modules\/(react|react-dom|scheduler|react-router|react-router-dom|@remix-run|react-is|prop-types)\//],
  ['ui', /node_modules\/(@mantine\/(core|hooks|notifications)|@floating-ui|clsx|tslib|react-remove-scroll|react-transition-group|@babel\/runtime|dom-helpers)/],
  ['charts', /node_modules\/(recharts|d3-|victory|decimal|lodash|react-smooth|fast-equals|@mantine\/charts)/],
  ['editor', /node_modules\/(@codemirror|@lezer|codemirror|style-mod|w3c-keyname|crelt|@marijn)/],
];

export default defineConfig({
  plugins: [react(), themeVariables(), gzipBeside()],
  css: { modules: false },
  build: {
    outDir: process.env.CONSOLE_OUT ?? join(__dirname, 'dist'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      output: {
        manualChunks: (id) => {
          const chunk = CHUNKS.find(([, names]) => names.test(id));
          return chunk?.[0];
        },
      },
    },
  },
});
