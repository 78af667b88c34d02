"""The past, in and out: files of other recorders, venues' own history, exports."""
