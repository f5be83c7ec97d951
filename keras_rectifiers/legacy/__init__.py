"""Old saved models made modern: read any container, repair, write `.keras`."""
