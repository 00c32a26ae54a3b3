// SPDX-License-Identifier: Apache-2.0
import { createTheme, type MantineColorsTuple } from '@mantine/core';

const wasabi: MantineColorsTuple = [
  '#edf7f0', '#d9ebdf', '#b2d7bf', '#86c19b', '#62ae7c', '#479a66', '#2f7d4f', '#276a43', '#205838', '#16432a',
];

/** Mantine's part of the look; `styles.css` has ours. No scroll lock: it would make a <style> at run time. */
export const theme = createTheme({
  primaryColor: 'wasabi',
  respectReducedMotion: true,
  primaryShade: { light: 6, dark: 6 },
  colors: {
    wasabi,
    dark: [
      '#dfe6e2', '#b7c2bc', '#9aa7a1', '#6f7b76', '#3a4440', '#2d3633', '#1c2220', '#171c1a', '#121615', '#0d100f',
    ],
  },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  defaultRadius: 'sm',
  headings: { fontWeight: '600' },
  components: {
    Modal: { defaultProps: { lockScroll: false, closeButtonProps: { 'aria-label': 'Close' } } },
    Drawer: { defaultProps: { lockScroll: false, closeButtonProps: { 'aria-label': 'Close' } } },
    Button: { defaultProps: { size: 'xs' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
    TextInput: { defaultProps: { size: 'xs' } },
    PasswordInput: { defaultProps: { size: 'xs' } },
    NumberInput: { defaultProps: { size: 'xs' } },
    Select: { defaultProps: { size: 'xs', checkIconPosition: 'right' } },
    MultiSelect: { defaultProps: { size: 'xs' } },
    TagsInput: { defaultProps: { size: 'xs' } },
    Textarea: { defaultProps: { size: 'xs' } },
    Checkbox: { defaultProps: { size: 'xs' } },
    Switch: { defaultProps: { size: 'xs' } },
    SegmentedControl: { defaultProps: { size: 'xs' } },
    Tabs: { defaultProps: { keepMounted: false } },
    Tooltip: { defaultProps: { withArrow: true, openDelay: 300 } },
  },
});
