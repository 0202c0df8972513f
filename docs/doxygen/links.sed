# In the comments of the C header: names of functions, structs and constants become links, and what a verb tells and how it fails
# become paragraphs of their own. A constant that stands for many, such as WM_LOG_*, and code stay as they are.
/@code/,/@endcode/!{
  /^ *\*|^ *\/\*\*/{
    s/\b(wm_[a-z0-9_]*[a-z0-9])\b([^*_(a-z0-9]|$)/#\1\2/g
    s/\b(WM_[A-Z0-9_]*[A-Z0-9])\b([^*_A-Z0-9]|$)/#\1\2/g
    s/^ \* (Fails |Statuses|Answers )/ *\n * \1/
  }
}
